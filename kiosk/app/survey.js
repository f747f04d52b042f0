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

// expected is how many seconds a round takes a person, about: 4 an item, and 3 for each
// question that comes after them.
export function expected(bundle, round) {
  const instrument = bundle.instruments[round.instrument], { factors, modules, quick } = instrument;
  const more = 3 * (moreSteps(bundle, instrument).length - 1);
  if (round.form === 'quick') return 4 * quick.items.length + more;
  if (round.form === 'split') return 4 * modules.reduce((n, m) => n + m.items.length * m.probability, 0) + more;
  return 4 * factors.reduce((n, f) => n + f.items.length, 0) + more;
}

// moreSteps is what comes after the items, up to sending.
function moreSteps(bundle, instrument) {
  const steps = [];
  if (bundle.desk.fields.length > 1) steps.push({ kind: 'field', id: 'field' });
  steps.push({ kind: 'filing', id: 'filing' }, { kind: 'helped', id: 'helped' });
  for (const q of instrument.profile || []) if (!q.off) steps.push({ kind: 'profile', id: q.id, question: q });
  if (bundle.device.comments) steps.push({ kind: 'comment', id: 'comment' });
  steps.push({ kind: 'send', id: 'send' });
  return steps;
}

// begin makes a visit: what is asked of one person, and what that person says. mono is
// when it begins.
export async function begin(bundle, round, id, language, mono) {
  const instrument = bundle.instruments[round.instrument];
  let asked = null; // everything
  if (round.form === 'quick') asked = instrument.quick.items;
  let first = null; // asked before the others
  if (round.form === 'split') ({ items: asked, first } = await drawModule(instrument.modules, round.id, id));
  const all = instrument.factors.flatMap((f) => f.items.map((item) => ({ kind: 'item', id: item.id, item, factor: f })))
    .filter((s) => !asked || asked.includes(s.id));
  const items = [...all.filter((s) => s.id === first), ...all.filter((s) => s.id !== first)];
  const steps = [...items, ...moreSteps(bundle, instrument)];
  return { id, desk: bundle.desk.id, round, instrument, items, steps, language, mono, at: 0, far: 0, said: {}, profile: {}, answers: {} };
}

// submission is what the server is told. Items from the last one that was shown on are
// broken off; those before it without an answer are blank.
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
  return out;
}

// inLanguage is a text of the documents in a language, or else in Vietnamese.
export const inLanguage = (text, language) => !text ? '' : text[language] || text.vi || Object.values(text)[0] || '';
