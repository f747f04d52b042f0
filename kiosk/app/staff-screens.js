// What staff see on a tablet: pairing, the PIN, and the menu behind it. staff.js does it.

import { base } from './browser.js';
import { el } from './dom.js';
import { say } from './texts.js';

const field = (id, label, attributes, note) => el('p', {}, el('label', { for: id }, label),
  el('input', { id, autocomplete: 'off', spellcheck: 'false', ...attributes }), note ? el('small', {}, note) : null);

// enrol asks for a pairing code and a PIN. onenrol(code, pin) resolves to '' or to what is
// wrong, as text.
export function enrol({ lang, code, onenrol, oncancel }) {
  const wrong = el('p', { class: 'wrong', role: 'alert' });
  const button = el('button', { class: 'big', id: 'enrol' }, say(lang, 'enrol.go'));
  const cancel = oncancel ? el('button', { type: 'button', class: 'quiet', onclick: oncancel }, say(lang, 'pin.cancel')) : null;
  const working = (yes) => { for (const b of [button, cancel]) if (b) b.disabled = yes; };
  const form = el('form', { class: 'entry', onsubmit: async (event) => {
    event.preventDefault();
    const { code: c, pin } = form.elements;
    if (!/^\d{4,8}$/.test(pin.value)) {
      wrong.textContent = say(lang, 'enrol.pin_wrong');
      return;
    }
    working(true);
    wrong.textContent = say(lang, 'enrol.working');
    wrong.textContent = await onenrol(c.value, pin.value);
    working(false);
  } },
  field('code', say(lang, 'enrol.code'), { value: code, required: true, maxlength: 40, autocapitalize: 'characters' }),
  field('pin', say(lang, 'enrol.pin'), { class: 'secret', inputmode: 'numeric', required: true, maxlength: 8 }, say(lang, 'enrol.pin_note')),
  wrong, button, cancel);
  return [el('main', { class: 'notice' }, el('h1', {}, say(lang, 'enrol.title')), el('p', {}, say(lang, 'enrol.text', base + '/fleet')), form)];
}

// pin asks for the PIN that opens a lock (pin.js).
export function pin({ lang, lock, onopen, oncancel }) {
  const wrong = el('p', { class: 'wrong', role: 'alert' });
  const form = el('form', { class: 'entry', onsubmit: async (event) => {
    event.preventDefault();
    const input = form.elements.pin;
    const wait = lock.wait();
    if (wait > 0) {
      wrong.textContent = say(lang, 'pin.wait', Math.ceil(wait / 1000));
      return;
    }
    if (await lock.open(input.value)) {
      onopen();
      return;
    }
    input.value = '';
    wrong.textContent = say(lang, 'pin.wrong');
  } },
  field('pin', say(lang, 'pin.title'), { class: 'secret', inputmode: 'numeric', required: true, maxlength: 8 }), wrong,
  el('button', { class: 'big', id: 'open' }, say(lang, 'pin.go')),
  el('button', { type: 'button', class: 'quiet', onclick: oncancel }, say(lang, 'pin.cancel')));
  return [el('main', { class: 'notice' }, el('h1', {}, say(lang, 'staff.title')), form)];
}

const moment = new Intl.DateTimeFormat('vi-VN', { dateStyle: 'short', timeStyle: 'short', timeZone: 'Asia/Ho_Chi_Minh' });
const megabytes = (n) => (n / 2 ** 20).toLocaleString('vi-VN', { maximumFractionDigits: 1 }) + ' MB';

// menu shows how the tablet does. on: sync(tell), test, exportAnswers, receipts(file), unpair,
// pair, full, close, volume(0 to 1), sound; each resolves to a text to show, or to nothing.
// tell shows a text meanwhile.
export function menu({ lang, state, on }) {
  const { device, desk, queued, kept, contact, offset, status, volume, app, bundle } = state;
  const said = el('p', { class: 'wrong', id: 'said', role: 'status' }, state.said || '');
  const tell = (text) => { said.textContent = text; };
  const act = async (run) => {
    try {
      tell(await run(tell) || '');
    } catch (e) {
      tell(say(lang, 'staff.failed', e?.message));
    }
  };
  const button = (id, run) => el('button', { class: 'quiet', id: 'do-' + id, onclick: () => act(run) }, say(lang, 'staff.' + id));
  // The browser's own button for a file speaks the browser's language.
  const file = el('input', {
    type: 'file', id: 'receipts', accept: '.json,application/json', hidden: true,
    onchange: async () => { await act(() => on.receipts(file.files[0])); file.value = ''; },
  });
  const loudness = el('input', { type: 'range', id: 'volume', min: 0, max: 100, step: 10, value: Math.round(volume * 100), onchange: () => act(() => on.volume(loudness.value / 100)) });
  const row = (key, id, value, bad) => [el('dt', {}, say(lang, 'staff.' + key)), el('dd', { id, class: bad ? 'bad' : undefined }, value)];
  return [el('header', { class: 'top' }, el('h1', {}, say(lang, 'staff.title')), el('button', { id: 'do-close', onclick: on.close }, say(lang, 'staff.close'))),
    el('main', { class: 'staff' },
    el('dl', {},
      row('device', 'is-device', `${device.name} (${device.id})`), row('desk', 'is-desk', desk),
      row('queue', 'is-queue', String(queued)), row('kept', 'is-kept', String(kept)),
      row('last', 'is-last', contact.at ? moment.format(contact.at) : say(lang, 'staff.never')),
      row('result', 'is-result', contact.result ? say(lang, 'staff.result.' + contact.result) : '–', contact.result && contact.result !== 'ok'),
      row('clock', 'is-clock', say(lang, 'staff.seconds', (Math.round(offset / 1000) || 0).toLocaleString('vi-VN')), Math.abs(offset) > 300e3),
      row('storage', 'is-storage', `${megabytes(status.used)} / ${megabytes(status.quota)}; ${say(lang, status.persisted ? 'staff.persisted' : 'staff.not_persisted')}`, !status.persisted),
      row('version', 'is-version', `${app} / ${(bundle || '–').slice(0, 12)}`)),
    said,
    el('div', { class: 'actions' }, button('sync', on.sync), button('test', on.test), button('export', on.exportAnswers), button('full', on.full), button('pair', on.pair), button('receipts', () => file.click()), button('unpair', on.unpair)), file,
    el('div', { class: 'actions' }, el('p', {}, el('label', { for: 'volume' }, say(lang, 'staff.volume')), loudness), button('sound', on.sound)))];
}
