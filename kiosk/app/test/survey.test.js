import assert from 'node:assert/strict';
import test from 'node:test';
import { newID } from '../seal.js';
import { begin, expected, inLanguage, left, needed, roundOf, submission } from '../survey.js';

const text = (s) => ({ vi: s, en: s + ' (en)' });
const item = (id) => ({ id, text: text(id) });
const instrument = {
  id: 'small', version: 3, languages: ['vi', 'en'],
  factors: [{ id: 'A', items: [item('c01'), item('c02')] }, { id: 'B', items: [item('c03')] }, { id: 'C', items: [item('c04'), item('c05')] }],
  quick: { items: ['c05', 'c01'] },
  modules: [{ id: 'a', items: ['c01', 'c03', 'c05'], probability: 0.7 }, { id: 'b', items: ['c02', 'c03', 'c04'], probability: 0.3 }],
  profile: [{ id: 'sex', options: [] }, { id: 'age', options: [], off: true }],
};
const round = (form) => ({ id: 'r-' + form, first: '2026-11-01', last: '2026-11-30', form, instrument: 'small@3' });
const bundle = (fields = 2, comments = true) => ({
  instruments: { 'small@3': instrument }, desk: { id: 'Q1', fields: ['land', 'civil'].slice(0, fields).map((id) => ({ id, name: text(id) })) }, device: { comments },
});
const now = Date.UTC(2026, 10, 24, 3, 20);
const visit = async (form = 'full', b = bundle(), language = 'vi') => begin(b, round(form), newID(now), language, 1000);
const items = (v) => v.items.map((s) => s.id).join();

test('a full form asks everything in order, then the field, and sends; what is not about the service is behind that', async () => {
  const v = await visit();
  assert.equal(v.steps.map((s) => s.id).join(), 'c01,c02,c03,c04,c05,field,send,more');
  assert.equal(v.steps.map((s) => s.kind).join(), 'item,item,item,item,item,field,send,more');
  assert.equal(v.optional.map((q) => q.id).join(), 'filing,helped,sex,comment');
  assert.equal(v.optional.map((q) => q.kind).join(), 'filing,helped,profile,comment');
  assert.deepEqual(v.items.map((s) => s.factor.id), ['A', 'A', 'B', 'C', 'C']);
  assert.deepEqual([v.desk, v.at, v.far, v.answers, v.said, v.profile], ['Q1', 0, 0, {}, {}, {}]);
  for (const fields of [0, 1]) assert.ok(!(await visit('full', bundle(fields))).steps.some((s) => s.kind === 'field'), 'a desk with one field does not ask which');
  assert.ok(!(await visit('full', bundle(2, false))).optional.some((q) => q.kind === 'comment'));
  const bare = bundle();
  bare.instruments['small@3'] = { ...instrument, profile: undefined };
  assert.ok(!(await visit('full', bare)).optional.some((q) => q.kind === 'profile'));
});

test('a quick form asks its items, in the order of the instrument', async () => {
  assert.equal(items(await visit('quick')), 'c01,c05');
});

test('how long it takes: two hundred words a minute, and a second and a half a touch', async () => {
  const v = await visit(); // five items of one word: 155 words and seven touches, 57 s
  assert.equal(expected(v, 'vi'), 1);
  for (const [words, minutes] of [[3, 1], [4, 2], [43, 2], [44, 3]]) {
    const long = { ...v, items: v.items.map((s) => ({ ...s, item: { id: s.id, text: text(Array(words).fill('từ').join(' ')) } })) };
    assert.equal(expected(long, 'vi'), minutes, `${words} words`);
  }
});

test('how many questions must have a level for an answer to count', async () => {
  for (const [share, asked, want] of [[undefined, 7, 4], [0.5, 8, 4], [0.5, 5, 3], [1, 7, 7], [0.8, 5, 4], [0.1, 7, 1], [0.7, 10, 7], [0.28, 25, 8]]) {
    const v = { round: { min_answered: share }, items: Array(asked) };
    assert.equal(needed(v), want, `${share} of ${asked}`);
    // As survey.Valid has it on the server.
    const valid = (levels) => levels >= (share ?? 0.5) * asked;
    assert.deepEqual([valid(want), valid(want - 1)], [true, false], `${share} of ${asked}`);
  }
});

test('who leaves before the answer counts says nothing of themselves', async () => {
  const said = async (far, answers) => {
    const v = Object.assign(await visit(), { far, answers, said: { field: 'land', comment: 'Tốt' }, profile: { sex: 'female' } });
    const { comment, profile, field } = submission(v, 1000);
    assert.equal(field, 'land');
    assert.equal(left(v), comment === undefined);
    assert.equal(comment === undefined, profile === undefined);
    return comment !== undefined;
  };
  assert.equal(await said(2, { c01: 5, c02: 4 }), false);
  assert.equal(await said(2, { c01: 5, c02: 4, c03: 'na' }), false, 'what does not apply is no level');
  assert.equal(await said(2, { c01: 5, c02: 4, c03: 1 }), true);
  assert.equal(await said(4, { c01: 5 }), true, 'who has seen every question has not left');
});

test('what a module asks first comes before the others', async () => {
  const b = bundle();
  b.instruments['small@3'] = { ...instrument, modules: instrument.modules.map((m) => ({ ...m, first: 'c03' })) };
  const v = await visit('split', b);
  assert.ok(['c03,c01,c05', 'c03,c02,c04'].includes(items(v)), items(v));
  assert.equal(submission(v, 0).reached, 'c03');
});

test('a split form asks what its id draws', async () => {
  let a = 0;
  const n = 3000;
  for (let i = 0; i < n; i++) {
    const asked = items(await visit('split'));
    assert.ok(['c01,c03,c05', 'c02,c03,c04'].includes(asked), asked);
    if (asked === 'c01,c03,c05') a++;
  }
  // Six standard deviations.
  assert.ok(Math.abs(a / n - 0.7) < 6 * Math.sqrt(0.21 / n), `${a} of ${n}`);
  const id = newID(now);
  const drawn = async (r) => items(await begin(bundle(), { ...round('split'), id: r }, id, 'vi', 0));
  assert.equal(await drawn('r1'), await drawn('r1'));
  const rounds = await Promise.all(Array.from({ length: 40 }, (_, i) => drawn('r' + i)));
  assert.equal(new Set(rounds).size, 2, 'another round draws anew');
});

test('the round of a day is the one that began last', () => {
  const r = (id, first, last) => ({ id, first, last });
  const rounds = [r('a', '2026-01-01', '2026-12-31'), r('b', '2026-11-01', '2026-11-30'), r('c', '2026-11-01', '2026-11-20'), r('d', '2027-02-01', '2027-02-28')];
  for (const [day, want] of [
    ['2025-12-31', undefined], ['2026-01-01', 'a'], ['2026-10-31', 'a'], ['2026-11-01', 'b'], ['2026-11-20', 'b'], ['2026-11-30', 'b'], ['2026-12-01', 'a'],
    ['2027-01-01', undefined], ['2027-02-28', 'd'], ['2027-03-01', undefined],
  ]) assert.equal(roundOf({ rounds }, day)?.id, want, day);
  assert.equal(roundOf({ rounds: [] }, '2026-11-01'), null);
});

test('a submission says how far somebody came', async () => {
  const v = await visit();
  v.answers = { c01: 4, c03: 'na' };
  v.far = 2;
  assert.deepEqual(submission(v, 31_500), {
    id: v.id, round: 'r-full', desk: 'Q1', instrument: 'small', version: 3, answers: { c01: 4, c03: 'na' }, language: 'vi', reached: 'c03', seconds: 30.5,
  });
  v.far = 99;
  assert.equal(submission(v, 1000).reached, 'c05');
  const quick = await visit('quick');
  quick.far = 1;
  assert.equal(submission(quick, 1000).reached, 'c05', 'far counts what is asked');
});

test('a submission has what was said, and nothing that was not', async () => {
  const v = Object.assign(await visit('full', bundle(), 'en'), { far: 4 });
  v.said = { field: 'land', filing: 'counter', helped: 'alone', comment: 'Tốt' };
  v.profile = { sex: 'female' };
  const s = submission(v, 1000);
  assert.deepEqual([s.field, s.filing, s.helped, s.comment, s.profile, s.language, s.seconds], ['land', 'counter', 'alone', 'Tốt', { sex: 'female' }, 'en', 0]);
  v.said.comment = '';
  assert.ok(!('comment' in submission(v, 1000)));
  assert.equal(submission(v, 0).seconds, 0, 'a monotonic clock that began anew');
  assert.equal(submission(v, 1e12).seconds, 86400);
  const other = await visit('full', bundle(), 'fr');
  assert.equal(submission(other, 1000).language, 'vi', 'a language that the survey has not');
});

test('inLanguage', () => {
  assert.deepEqual([inLanguage(text('a'), 'en'), inLanguage(text('a'), 'fr'), inLanguage({ en: 'b' }, 'vi'), inLanguage({ en: 'b', vi: 'a' }, 'fr'), inLanguage(undefined, 'vi'), inLanguage({}, 'vi')], ['a (en)', 'a', 'b', 'a', '', '']);
});
