// What citizens see. A screen is a function of what it shows and of what happens at a
// touch; none keeps anything.

import { el, svg } from './dom.js';
import { inLanguage } from './survey.js';
import { path, qr } from './qr.js';
import { grouped } from './seal.js';
import { say, texts } from './texts.js';

const mark = () => svg({ class: 'mark', viewBox: '0 0 32 32', 'aria-hidden': 'true' }, ['circle', { cx: 16, cy: 16, r: 16 }],
  ['path', { d: 'M16 5l2.6 7.6h8L20.2 17.3l2.4 7.7L16 20.3 9.4 25l2.4-7.7L5.4 12.6h8z' }]);

// top says where one is, on every screen of a desk.
function top(bundle, lang, ...right) {
  return el('header', { class: 'top' }, mark(),
    el('p', {}, inLanguage(bundle.desk.unit, lang), el('b', {}, inLanguage(bundle.desk.name, lang))), right);
}

const staffButton = (lang, onstaff) => el('button', { class: 'plain', onclick: onstaff }, say(lang, 'attract.staff'));

// attract invites to start and names the desk. languages are those of the round.
export function attract({ bundle, lang, languages, message, seconds, onstart, onlanguage, onstaff }) {
  const others = languages.filter((l) => l !== lang);
  return [
    top(bundle, lang, ...others.map((l) => el('button', { class: 'language', lang: l, onclick: () => onlanguage(l) }, texts[l]?.language || l))),
    el('main', { class: 'attract' },
      el('h1', {}, say(lang, 'attract.title')),
      // A hand that goes to a face begins too; it says nothing yet.
      el('p', { class: 'faces', 'aria-hidden': 'true', onclick: onstart }, [1, 2, 3, 4, 5].map((n) => face(n))),
      el('button', { class: 'big', id: 'start', onclick: onstart }, say(lang, 'attract.start'), el('small', {}, seconds <= 40 ? say(lang, 'attract.time') : say(lang, 'attract.minutes', Math.ceil(seconds / 60)))),
      el('p', { class: 'note' }, say(lang, 'attract.notice'))),
    el('footer', {}, message ? el('p', { class: 'message' }, el('b', {}, say(lang, 'attract.message')), ' ', message) : null, staffButton(lang, onstaff)),
  ];
}

const face = (level) => svg({ class: 'face l' + level, viewBox: '0 0 24 24', 'aria-hidden': 'true' }, ['use', { href: '#f' + level }]);

// step asks one thing. on has next, back, stop, leave and hear (null without a recording).
export function step({ bundle, visit, lang, on }) {
  const s = visit.steps[visit.at];
  const number = visit.items.indexOf(s) + 1;
  const body = s.kind === 'item' ? item(visit, s, lang, on) : s.kind === 'send' ? send(visit, lang, on) : s.kind === 'comment' ? comment(visit, lang, on) : choice(bundle, visit, s, lang, on);
  const answered = s.kind === 'item' ? visit.answers[s.id] !== undefined : s.kind === 'profile' ? visit.profile[s.id] : visit.said[s.id];
  const stop = s.kind !== 'send' && (s.kind !== 'item' || s.factor !== visit.items[0].factor);
  return [
    top(bundle, lang),
    visit.test ? el('p', { class: 'message', role: 'status' }, say(lang, 'step.test')) : null,
    el('main', { class: 'step' },
      el('div', { class: 'bar' }, el('progress', { max: visit.steps.length, value: visit.at, 'aria-hidden': 'true' }),
        el('p', {}, number ? say(lang, 'step.where', number, visit.items.length) : s.kind !== 'send' ? say(lang, 'step.more') : '', on.hear ? el('button', { class: 'quiet', id: 'hear', onclick: on.hear }, say(lang, 'step.say')) : null)),
      body),
    el('footer', {},
      visit.at > 0 ? el('button', { class: 'quiet', id: 'back', onclick: on.back }, say(lang, 'step.back')) : null,
      stop ? el('button', { class: 'plain', id: 'stop', onclick: on.stop }, say(lang, 'step.stop')) : null,
      el('button', { class: 'plain', id: 'leave', onclick: on.leave }, say(lang, s.kind === 'send' ? 'send.leave' : 'step.leave')),
      s.kind !== 'send' ? el('button', { class: 'quiet', id: 'next', onclick: on.next }, say(lang, answered || s.kind === 'comment' ? 'step.next' : 'step.skip')) : null),
  ];
}

function item(visit, s, lang, on) {
  const chosen = visit.answers[s.id];
  const pick = (value) => () => { visit.answers[s.id] = value; on.next(); };
  return [
    el('p', { class: 'factor' }, inLanguage(s.factor.title, lang)),
    el('h1', {}, inLanguage(s.item.text, lang)),
    s.item.note ? el('p', { class: 'note' }, inLanguage(s.item.note, lang)) : null,
    el('div', { class: 'scale', role: 'group' }, visit.instrument.levels.map((label, i) =>
      el('button', { class: 'level l' + (i + 1), 'data-value': i + 1, 'aria-pressed': String(chosen === i + 1), onclick: pick(i + 1) }, face(i + 1), el('span', {}, inLanguage(label, lang))))),
    el('button', { class: 'option na', 'data-value': 'na', 'aria-pressed': String(chosen === 'na'), onclick: pick('na') }, say(lang, 'step.na')),
  ];
}

function choice(bundle, visit, s, lang, on) {
  const asked = {
    field: () => bundle.desk.fields.map((f) => [f.id, inLanguage(f.name, lang)]),
    filing: () => bundle.filings.map((v) => [v, say(lang, 'filing.' + v)]),
    helped: () => bundle.helps.map((v) => [v, say(lang, 'helped.' + v)]),
    profile: () => s.question.options.map((o) => [o.id, inLanguage(o.text, lang)]),
  };
  const into = s.kind === 'profile' ? visit.profile : visit.said;
  return [
    el('h1', {}, s.kind === 'profile' ? inLanguage(s.question.text, lang) : say(lang, s.kind)),
    el('div', { class: 'options', role: 'group' }, asked[s.kind]().map(([value, label]) =>
      el('button', { class: 'option', 'data-value': value, 'aria-pressed': String(into[s.id] === value), onclick: () => { into[s.id] = value; on.next(); } }, label))),
  ];
}

function comment(visit, lang, on) {
  const area = el('textarea', { id: 'comment', rows: 5, maxlength: 1000, autocomplete: 'off', autocorrect: 'off', spellcheck: 'false', 'aria-label': say(lang, 'comment'), oninput: () => { visit.said.comment = area.value; on.touched(); } });
  area.value = visit.said.comment || '';
  return [el('h1', {}, say(lang, 'comment')), el('p', { class: 'note' }, say(lang, 'comment.note')), area];
}

function send(visit, lang, on) {
  const answered = visit.items.filter((s) => visit.answers[s.id] !== undefined).length;
  // The server takes no answer without a level: there would be nothing to count.
  if (!Object.values(visit.answers).some(Number.isInteger)) return [el('h1', {}, say(lang, 'send.nothing')), el('p', {}, say(lang, 'send.nothing.text'))];
  return [
    el('h1', {}, say(lang, 'send.title')),
    el('p', {}, say(lang, 'send.text', answered, visit.items.length)),
    el('button', { class: 'big', id: 'send', onclick: on.send }, say(lang, 'send.go')),
  ];
}

export const storing = (bundle, lang) => [top(bundle, lang), el('main', { class: 'notice' }, el('h1', { role: 'status' }, say(lang, 'send.storing')))];

// thanks ends a visit. code is null after a test; seconds until it goes away.
export function thanks({ bundle, lang, code, seconds, ondone }) {
  const { hotline, leader } = bundle.desk;
  return [
    top(bundle, lang),
    el('main', { class: 'thanks' },
      el('h1', {}, say(lang, 'thanks.title')),
      el('p', { id: 'stored' }, say(lang, code ? 'thanks.text' : 'thanks.test')),
      code ? receipt(bundle, lang, code, seconds) : null,
      hotline || leader ? el('p', { class: 'contact' }, hotline ? [say(lang, 'thanks.hotline'), ': ', el('b', {}, hotline)] : null, hotline && leader ? ' · ' : null,
        leader ? [say(lang, 'thanks.leader'), ': ', el('b', {}, leader)] : null) : null,
      el('button', { class: 'big', id: 'done', onclick: ondone }, say(lang, 'thanks.done'))),
  ];
}

function receipt(bundle, lang, code, seconds) {
  const modules = qr(bundle.public_url + '/r#' + grouped(code)), size = modules.length + 8;
  return el('section', { class: 'receipt' },
    svg({ class: 'qr', viewBox: `-4 -4 ${size} ${size}`, role: 'img', 'aria-label': say(lang, 'thanks.qr'), 'shape-rendering': 'crispEdges' },
      ['path', { class: 'light', d: `M-4-4h${size}v${size}h-${size}z` }], ['path', { class: 'dark', d: path(modules) }]),
    el('div', {}, el('p', {}, say(lang, 'thanks.receipt')), el('output', { id: 'receipt' }, grouped(code)), el('p', { class: 'note' }, say(lang, 'thanks.note', seconds))));
}

// idle asks whether somebody is still there; a touch anywhere says so. It returns the dialog
// and a way to say how many seconds are left.
export function idle({ lang, onstay }) {
  const left = el('p', { role: 'timer' });
  const dialog = el('dialog', { class: 'idle', 'aria-labelledby': 'idle-title', onclick: onstay, oncancel: (e) => { e.preventDefault(); onstay(); } },
    el('h2', { id: 'idle-title' }, say(lang, 'idle.title')), left, el('button', { class: 'big', id: 'stay', autofocus: true }, say(lang, 'idle.stay')));
  return { dialog, count: (seconds) => { left.textContent = say(lang, 'idle.text', seconds); } };
}

// problem says why no answer can be given. Both languages, for who cannot choose.
export function problem({ bundle, kind, details = [], message, onstaff }) {
  return [
    bundle ? top(bundle, 'vi') : null,
    el('main', { class: 'notice', 'data-problem': kind }, ['vi', 'en'].map((lang) => el('section', { lang },
      el(lang === 'vi' ? 'h1' : 'h2', {}, say(lang, 'problem.' + kind)), el('p', {}, say(lang, `problem.${kind}.text`, ...details))))),
    onstaff ? el('footer', {}, message ? el('p', { class: 'message' }, el('b', {}, say('vi', 'attract.message')), ' ', message) : null, staffButton('vi', onstaff)) : null,
  ];
}
