// What a tablet asks, and what becomes of it: the same rules as package survey has on the
// server, which checks everything again.

import { bytes, sha256 } from './seal.js';

// roundOf finds the round that takes answers on a day; of several the one that began last.
export function roundOf(bundle, day) {
  let best = null;
  for (const r of bundle.rounds) {
    if (r.first <= day && day <= r.last && (!best || r.first > best.first)) best = r;
  }
  return best;
}

// drawModule draws the part of a split form that an id gets: the first 48 bits of
// SHA-256("module", 0, round, 0, id) against the probabilities.
async function drawModule(modules, round, id) {
  const sum = await sha256(bytes('module\0' + round + '\0' + id));
  let at = 0;
  for (const b of sum.subarray(0, 6)) at = at * 256 + b;
  at /= 2 ** 48;
  for (const m of modules) if ((at -= m.probability) < 0) return m;
  return modules[modules.length - 1];
}

// expected is within how many minutes a visit is over, by the model of README.md: somebody
// reads 200 words a minute, some 150 of them beside the questions (the notice, the levels,
// the field, sending), and a touch takes a second and a half.
export function expected(visit, language) {
  const words = (text) => inLanguage(text, language).split(/\s+/).filter(Boolean).length;
  const read = visit.items.reduce((n, s) => n + words(s.item.text) + words(s.item.note), 150);
  return Math.ceil((0.3 * read + 1.5 * (visit.steps.length - 1)) / 60);
}

// needed is how many of the items asked must carry a level for an answer to count: the
// round's share of them, one half where the bundle is from before it said so. The service
// multiplies the same two numbers.
export function needed(visit) {
  return Math.max(1, Math.ceil((visit.round.min_answered ?? 0.5) * visit.items.length));
}

// levels counts the items that carry one.
export const levels = (visit) => Object.values(visit.answers).filter(Number.isInteger).length;

// left: somebody stopped before the answer counts. The last item was never reached.
export const left = (visit) => visit.far < visit.items.length - 1 && levels(visit) < needed(visit);

// optional is what may be said beside the items, on one page.
function optional(bundle, instrument) {
  const questions = [{ kind: 'filing', id: 'filing' }, { kind: 'helped', id: 'helped' }];
  for (const q of instrument.profile || []) if (!q.off) questions.push({ kind: 'profile', id: q.id, question: q });
  if (bundle.device.comments) questions.push({ kind: 'comment', id: 'comment' });
  return questions;
}

// begin makes a visit: what is asked of one person, and what that person says. mono is
// when it begins. Its steps are the items, the field where there are several, sending, and
// behind that a page of what is optional.
export async function begin(bundle, round, id, language, mono) {
  const instrument = bundle.instruments[round.instrument];
  let asked = null; // everything
  if (round.form === 'quick') asked = instrument.quick.items;
  let first = null; // asked before the others
  if (round.form === 'split') ({ items: asked, first } = await drawModule(instrument.modules, round.id, id));
  const all = instrument.factors.flatMap((f) => f.items.map((item) => ({ kind: 'item', id: item.id, item, factor: f })))
    .filter((s) => !asked || asked.includes(s.id));
  const items = [...all.filter((s) => s.id === first), ...all.filter((s) => s.id !== first)];
  const steps = [...items];
  if (bundle.desk.fields.length > 1) steps.push({ kind: 'field', id: 'field' });
  steps.push({ kind: 'send', id: 'send' }, { kind: 'more', id: 'more' });
  return {
    id, desk: bundle.desk.id, round, instrument, items, steps, optional: optional(bundle, instrument), language, mono,
    at: 0, far: 0, said: {}, profile: {}, answers: {},
  };
}

// submission is what the server is told. Items from the last one that was shown on are
// broken off; those before it without an answer are blank. Who left before the answer
// counts says nothing of themselves.
export function submission(visit, mono) {
  const { instrument } = visit;
  const out = {
    id: visit.id, round: visit.round.id, desk: visit.desk, instrument: instrument.id, version: instrument.version,
    answers: visit.answers, language: instrument.languages.includes(visit.language) ? visit.language : instrument.languages[0],
    reached: visit.items[Math.min(visit.far, visit.items.length - 1)].id,
    seconds: Math.min(86400, Math.max(0, (mono - visit.mono) / 1000)),
  };
  for (const name of ['field', 'filing', 'helped', 'comment']) if (visit.said[name]) out[name] = visit.said[name];
  if (Object.keys(visit.profile).length > 0) out.profile = visit.profile;
  if (left(visit)) {
    delete out.comment;
    delete out.profile;
  }
  return out;
}

// inLanguage is a text of the documents in a language, or else in Vietnamese.
export const inLanguage = (text, language) => !text ? '' : text[language] || text.vi || Object.values(text)[0] || '';
