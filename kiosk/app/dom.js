// The little that makes elements. Text goes in as text and never as markup.

// el makes an element: el('button', { class: 'big', onclick: go }, 'Start').
export function el(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else e.setAttribute(name, value === true ? '' : value);
  }
  e.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

// svg makes a drawing from elements { tag, attributes }.
export function svg(attributes, ...shapes) {
  const make = (tag, a) => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(a)) e.setAttribute(name, value);
    return e;
  };
  const root = make('svg', attributes);
  root.append(...shapes.map(([tag, a]) => make(tag, a)));
  return root;
}

// show puts a screen in place of the one before, of which nothing stays, and moves the
// focus to its heading.
export function show(...screen) {
  const app = document.getElementById('app');
  app.replaceChildren(...screen.flat().filter(Boolean));
  const heading = app.querySelector('h1');
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
  window.scrollTo(0, 0);
}
