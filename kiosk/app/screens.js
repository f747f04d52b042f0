// What citizens see. A screen is a function of what it shows and of what happens at a
// touch; none keeps anything.

import { el, svg } from './dom.js';
import { expected, inLanguage, left, levels, needed } from './survey.js';
import { path, qr } from './qr.js';
import { grouped } from './seal.js';
import { say, texts } from './texts.js';

const mark = () => svg({ class: 'mark', viewBox: '0 0 32 32', 'aria-hidden': 'true' }, ['circle', { cx: 16, cy: 16, r: 16 }],
  ['path', { d: 'M16 5l2.6 7.6h8L20.2 17.3l2.4 7.7L16 20.3 9.4 25l2.4-7.7L5.4 12.6h8z' }]);

// top says where one is, on every screen of a desk. tools are what can be changed on each:
// { languages, large, onlanguage, onlarge, onabout }; onabout is null where the survey, of a
// service from before, has no notice.
function top(bundle, lang, tools) {
  return el('header', { class: 'top' }, mark(),
    el('p', {}, inLanguage(bundle.desk.unit, lang), el('b', {}, inLanguage(bundle.desk.name, lang))),
    tools ? el('div', { class: 'tools' },
      tools.onabout ? el('button', { id: 'about', 'aria-label': say(lang, 'about.title'), onclick: tools.onabout }, 'i') : null,
      el('button', { id: 'large', 'aria-label': say(lang, 'tools.large'), 'aria-pressed': String(tools.large), onclick: tools.onlarge }, 'A+'),
      tools.languages.filter((l) => l !== lang).map((l) => el('button', {
        class: 'language', lang: l, 'aria-label': `${l.toUpperCase()} ${texts[l]?.language || ''}`.trim(), onclick: () => tools.onlanguage(l),
      }, el('span', { class: 'long' }, texts[l]?.language || l), el('span', { class: 'short' }, l.toUpperCase())))) : null);
}

const staffButton = (lang, onstaff) => el('button', { class: 'plain', id: 'staff', onclick: onstaff }, say(lang, 'attract.staff'));
const toStaff = (lang, message) => (message ? el('p', { class: 'message' }, el('b', {}, say(lang, 'attract.message')), ' ', message) : null);
const plain = (lang, id, key, onclick) => el('button', { class: 'plain', id, onclick }, say(lang, key));
const face = (level) => svg({ class: 'face', viewBox: '0 0 24 24', 'aria-hidden': 'true' }, ['use', { href: '#f' + level }]);

// step asks one thing. first: nobody has touched anything yet; it has message and onstaff.
// on has pick(value), next, back, stop, leave, send, more, hear (null without a recording)
// and touched.
export function step({ bundle, visit, lang, tools, first, on }) {
  const s = visit.steps[visit.at];
  const { head, body, ways } = kinds[s.kind]({ bundle, visit, s, lang, first, on });
  return [
    top(bundle, lang, first ? { ...tools, onabout: null } : tools),
    visit.test ? el('p', { class: 'message', role: 'status' }, say(lang, 'step.test')) : null,
    el('main', { class: 'step is-' + s.kind + (first ? ' first' : '') }, first ? notice(bundle, lang, tools) : null, head, body),
    el('footer', {}, ways, first ? [toStaff(lang, first.message), staffButton(lang, first.onstaff)] : null),
  ];
}

// ended puts a mark behind a text that has none.
const ended = (text, mark) => (/[.:?!…]$/.test(text) ? text : text + mark);
const agency = (bundle, lang) => inLanguage(bundle.agency, lang) || say(lang, 'agency');

const notice = (bundle, lang, { onabout }) => el('p', { class: 'note', id: 'notice' }, say(lang, 'first.notice', agency(bundle, lang)), ' ',
  onabout ? el('button', { class: 'inline', id: 'about', onclick: onabout }, say(lang, 'about.title')) : null);

const kinds = { item, field, send, more };

function item({ visit, s, lang, first, on }) {
  const number = visit.items.indexOf(s) + 1, all = visit.items.length, chosen = visit.answers[s.id], least = needed(visit);
  const where = say(lang, 'step.where', number, all), factor = inLanguage(s.factor.title, lang);
  const minutes = expected(visit, lang);
  return {
    head: [
      el('div', { class: 'bar' },
        el('span', { 'aria-hidden': 'true' }, `${number}/${all}`),
        el('progress', { max: all, value: number - 1, 'aria-hidden': 'true' }),
        first ? el('span', { class: 'note' }, minutes === 1 ? say(lang, 'first.minute') : say(lang, 'first.minutes', minutes)) : null,
        on.hear ? el('button', { class: 'quiet', id: 'hear', onclick: on.hear }, say(lang, 'step.say')) : null,
        !first && levels(visit) < least ? el('span', { class: 'note', id: 'least' }, say(lang, 'step.least', least)) : null),
      // Who listens hears where the question stands as the focus comes to it.
      el('h1', {}, el('span', { class: 'unseen' }, `${where}. ${factor}. `), el('span', { id: 'question' }, inLanguage(s.item.text, lang))),
      s.item.note ? el('p', { class: 'note' }, inLanguage(s.item.note, lang)) : null,
    ],
    body: el('div', { class: 'scale', role: 'group', 'aria-labelledby': 'question' }, visit.instrument.levels.map((label, i) =>
      el('button', { class: 'level l' + (i + 1), 'data-value': i + 1, 'aria-pressed': String(chosen === i + 1), onclick: () => on.pick(i + 1) },
        face(i + 1), el('span', {}, inLanguage(label, lang))))),
    ways: [
      visit.at > 0 ? plain(lang, 'back', 'step.back', on.back) : null,
      first ? null : plain(lang, 'stop', 'step.stop', on.stop),
      el('button', { class: 'plain na', 'data-value': 'na', 'aria-pressed': String(chosen === 'na'), onclick: () => on.pick('na') }, say(lang, 'step.na')),
      chosen === undefined ? plain(lang, 'next', 'step.skip', on.next) : el('button', { class: 'quiet', id: 'next', onclick: on.next }, say(lang, 'step.next')),
    ],
  };
}

const most = 6; // buttons at once

// field asks what the visit was about: of many fields the first, and the others behind one.
function field({ bundle, visit, lang, on }) {
  const { fields } = bundle.desk, from = visit.fieldsFrom || 0, chosen = visit.said.field;
  const rest = fields.slice(from), shown = rest.length > most ? rest.slice(0, most - 1) : rest;
  return {
    head: el('h1', { id: 'question' }, say(lang, 'field')),
    body: el('div', { class: 'options', role: 'group', 'aria-labelledby': 'question' },
      shown.map((f) => el('button', { class: 'option', 'data-value': f.id, 'aria-pressed': String(chosen === f.id), onclick: () => on.choose(f.id) }, inLanguage(f.name, lang))),
      shown.length < rest.length ? el('button', { class: 'option', id: 'others', onclick: () => on.others(from + shown.length) }, say(lang, 'field.others')) : null),
    ways: [
      plain(lang, 'back', 'step.back', on.back), plain(lang, 'stop', 'step.stop', on.stop),
      chosen ? el('button', { class: 'quiet', id: 'next', onclick: on.next }, say(lang, 'step.next')) : plain(lang, 'next', 'step.skip', on.next),
    ],
  };
}

// send is the last step: who gets there has answered what they would. Who stopped before
// the answer counts reads that, and what leads on is loud.
function send({ bundle, visit, lang, on }) {
  const answered = levels(visit), least = needed(visit), all = visit.items.length;
  // The server takes no answer without a level: there would be nothing to count.
  if (answered === 0) {
    return {
      head: el('h1', {}, say(lang, 'send.nothing')), body: el('p', {}, say(lang, 'send.nothing.text')),
      ways: [el('button', { class: 'big', id: 'back', onclick: on.back }, say(lang, 'step.on')), plain(lang, 'leave', 'send.leave', on.leave)],
    };
  }
  const stopped = left(visit);
  const name = say(lang, stopped ? 'send.short' : 'send.go');
  return {
    head: [
      el('h1', {}, say(lang, stopped ? 'send.left' : 'send.title')),
      el('p', { id: 'counts' }, answered < least ? say(lang, 'send.uncounted', answered, all, least) : say(lang, 'send.text', answered, all)),
    ],
    body: [
      stopped ? el('button', { class: 'big', id: 'on', onclick: on.back }, say(lang, 'step.on')) : null,
      el('button', { class: stopped ? 'quiet' : 'big', id: 'send', onclick: on.send }, name),
      el('p', { class: 'note', id: 'consent' }, say(lang, 'send.consent', name, agency(bundle, lang))),
      stopped ? null : el('button', { class: 'quiet', id: 'more', onclick: on.more }, say(lang, 'send.more')),
    ],
    ways: [stopped ? null : plain(lang, 'back', 'step.back', on.back), plain(lang, 'leave', 'send.leave', on.leave)],
  };
}

// more is all that may be said besides, on one page: each question opens its own choice.
function more({ bundle, visit, lang, on }) {
  return {
    head: el('h1', {}, say(lang, 'more.title')),
    body: el('div', { class: 'options' }, visit.optional.map((q) => {
      const text = q.kind === 'profile' ? inLanguage(q.question.text, lang) : say(lang, q.kind), values = valuesOf[q.kind]?.(bundle, lang, q.question);
      const into = q.kind === 'profile' ? visit.profile : visit.said;
      const said = el('b', {}), tell = () => { said.textContent = (values ? values.find(([v]) => v === into[q.id])?.[1] : into[q.id]) || say(lang, 'more.none'); };
      tell();
      const set = (value) => {
        if (value) into[q.id] = value;
        else delete into[q.id];
        tell();
      };
      const ask = () => open(q.id, text, (close) => (values ? choices(q, values, into[q.id], lang, (v) => { set(v); close(); }) : comment(visit, lang, on, set, close)));
      return el('button', { class: 'option', id: 'more-' + q.id, 'aria-haspopup': 'dialog', onclick: ask }, el('span', {}, ended(text, ':')), said);
    })),
    ways: [plain(lang, 'back', 'step.back', on.back), el('button', { class: 'big', id: 'send', onclick: on.send }, say(lang, 'send.go'))],
  };
}

const valuesOf = {
  filing: ({ filings }, lang) => filings.map((v) => [v, say(lang, 'filing.' + v)]),
  helped: ({ helps }, lang) => helps.map((v) => [v, say(lang, 'helped.' + v)]),
  profile: (bundle, lang, question) => question.options.map((o) => [o.id, inLanguage(o.text, lang)]),
};

function choices({ question }, values, chosen, lang, set) {
  return [
    question?.sensitive ? el('p', { id: 'sensitive' }, say(lang, 'more.sensitive', inLanguage(question.text, lang))) : null,
    el('div', { class: 'options', role: 'group', 'aria-labelledby': 'sheet-title' }, [...values, ['', say(lang, 'more.none')]].map(([value, label]) =>
      el('button', { class: 'option', 'data-value': value, 'aria-pressed': String((chosen || '') === value), onclick: () => set(value) }, label))),
  ];
}

function comment(visit, lang, on, set, close) {
  const area = el('textarea', {
    id: 'comment', rows: 3, maxlength: 1000, autocomplete: 'off', autocorrect: 'off', spellcheck: 'false', 'aria-labelledby': 'sheet-title',
    oninput: () => { set(area.value); on.touched(); },
  });
  area.value = visit.said.comment || '';
  return [el('p', { class: 'note' }, say(lang, 'comment.note')), area, el('button', { class: 'big', id: 'close', onclick: close }, say(lang, 'thanks.done'))];
}

// open lays a sheet over the screen; content(close) is what it has below its title. As it
// closes, the focus goes back to what opened it.
function open(id, title, content) {
  const sheet = el('dialog', { class: 'sheet ' + id, 'aria-labelledby': 'sheet-title', onclose: () => sheet.remove() });
  sheet.append(...[el('h2', { id: 'sheet-title' }, title), ...content(() => { sheet.close(); sheet.remove(); })].filter(Boolean));
  document.getElementById('app').append(sheet);
  sheet.showModal();
}

export const storing = (bundle, lang) => [top(bundle, lang), el('main', { class: 'notice' }, el('h1', { role: 'status' }, say(lang, 'send.storing')))];

// thanks ends a visit. code is null after a test. It returns the screen and a way to say
// how many seconds it stays.
export function thanks({ bundle, lang, tools, code, ondone }) {
  const { hotline, leader } = bundle.desk, closes = el('p', { class: 'note', id: 'closes', role: 'timer' });
  const screen = [
    top(bundle, lang, tools),
    el('main', { class: 'thanks' },
      el('h1', {}, say(lang, 'thanks.title')),
      el('p', { id: 'stored' }, say(lang, code ? 'thanks.text' : 'thanks.test')),
      code ? receipt(bundle, lang, code) : null,
      hotline || leader ? el('p', { class: 'contact' }, hotline ? [say(lang, 'thanks.hotline'), ': ', el('b', {}, hotline)] : null, hotline && leader ? ' · ' : null,
        leader ? [say(lang, 'thanks.leader'), ': ', el('b', {}, leader)] : null) : null,
      el('button', { class: 'big', id: 'done', onclick: ondone }, say(lang, 'thanks.done')), closes),
  ];
  return { screen, count: (seconds) => { closes.textContent = say(lang, 'thanks.closes', seconds); } };
}

function receipt(bundle, lang, code) {
  const modules = qr(bundle.public_url + '/r#' + grouped(code)), size = modules.length + 8;
  return el('section', { class: 'receipt' },
    svg({ class: 'qr', viewBox: `-4 -4 ${size} ${size}`, role: 'img', 'aria-label': say(lang, 'thanks.qr'), 'shape-rendering': 'crispEdges' },
      ['path', { class: 'light', d: `M-4-4h${size}v${size}h-${size}z` }], ['path', { class: 'dark', d: path(modules) }]),
    el('div', {}, el('p', {}, say(lang, 'thanks.receipt')), el('output', { id: 'receipt' }, grouped(code)), el('p', { class: 'note' }, say(lang, 'thanks.note'))));
}

// idle asks whether somebody is still there; a touch anywhere says so. It returns the dialog
// and a way to say how many seconds are left.
export function idle({ lang, onstay }) {
  const time = el('p', { role: 'timer' });
  const dialog = el('dialog', { class: 'idle', 'aria-labelledby': 'idle-title', onclick: onstay, oncancel: (e) => { e.preventDefault(); onstay(); } },
    el('h2', { id: 'idle-title' }, say(lang, 'idle.title')), time, el('button', { class: 'big', id: 'stay', autofocus: true }, say(lang, 'idle.stay')));
  return { dialog, count: (seconds) => { time.textContent = say(lang, 'idle.text', seconds); } };
}

// about says what becomes of an answer, over the screen that is there.
export function about({ bundle, lang }) {
  open('about', say(lang, 'about.title'), (close) => [
    el('ol', { tabindex: 0, 'aria-labelledby': 'sheet-title' }, (bundle.notice[lang] || bundle.notice.vi).map(({ title, text }) => el('li', {}, el('b', {}, ended(title, '.')), ' ', text))),
    el('button', { class: 'big', id: 'close', onclick: close }, say(lang, 'about.close')),
  ]);
}

// problem says why no answer can be given. Both languages, for who cannot choose.
export function problem({ bundle, kind, details = [], message, onstaff }) {
  return [
    bundle ? top(bundle, 'vi') : null,
    el('main', { class: 'notice', 'data-problem': kind }, ['vi', 'en'].map((lang) => el('section', { lang },
      el(lang === 'vi' ? 'h1' : 'h2', {}, say(lang, 'problem.' + kind)), el('p', {}, say(lang, `problem.${kind}.text`, ...details))))),
    onstaff ? el('footer', {}, toStaff('vi', message), staffButton('vi', onstaff)) : null,
  ];
}
