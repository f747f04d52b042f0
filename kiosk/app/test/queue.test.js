import assert from 'node:assert/strict';
import test from 'node:test';
import { Queue, ranges, within } from '../queue.js';
import { bytes, hex, sha256 } from '../seal.js';
import { Crash, Disk } from '../testbed/memory.js';
import { newEpoch } from '../testbed/server.js';

const session = (n, anchor) => ({ n, from: 0, to: 10, wall: 1e12, ...anchor && { anchor } });
const open = (disk, fault) => Queue.open(disk.start(fault), newEpoch);
const everything = async (q) => (await q.take(1e6, Infinity)).map((e) => e.n);

async function add(q, text = 'x', s = session(1)) {
  const sealed = bytes(text);
  return q.add(sealed, hex(await sha256(sealed)), s);
}

async function filled(n, disk = new Disk()) {
  const q = await open(disk);
  for (let i = 1; i <= n; i++) await add(q, 'answer ' + i);
  return { q, disk };
}

const receipts = (...numbers) => numbers.map((n) => ({ n, outcome: 'stored', receipt: 'good' }));
const day = 24 * 3600e3;
const good = async (e, r) => r.receipt === 'good';

test('numbers begin at 1 and have no gap', async () => {
  const { q, disk } = await filled(3);
  assert.deepEqual(await everything(q), [1, 2, 3]);
  assert.deepEqual(disk.keys('queue'), [1, 2, 3]);
  const [e] = await q.take(1, Infinity, 1);
  assert.equal(new TextDecoder().decode(e.sealed), 'answer 2');
  assert.equal(e.digest, hex(await sha256(bytes('answer 2'))));
  assert.match(q.epoch, /^[0-9a-f]{32}$/);
  assert.deepEqual(q.numbers(), { epoch: q.epoch, highest: 3, unsent: [[1, 3]], kept: [] });
});

test('a new program finds what was there', async () => {
  const { q, disk } = await filled(3);
  await q.settle(receipts(2), good, 7 * day + 5);
  await q.abandon();
  const again = await open(disk);
  assert.deepEqual(again.numbers(), q.numbers());
  assert.deepEqual([again.next, again.abandoned, [...again.kept]], [4, 1, [[2, 7 * day]]]);
  assert.equal(await add(again), 4);
});

// Whatever happens at whichever commit, a program that starts afterwards goes on with
// what the disk has.
test('a crash at any commit leaves a whole state', async () => {
  const script = async (q) => {
    await add(q, 'answer 1');
    await add(q, 'answer 2');
    await q.abandon();
    await q.settle(receipts(1), good, 5);
    await q.note(session(2, { mono: 1, time: 2 }));
    await q.reconcile([], [], 6);
    await q.settle(receipts(1, 2), good, 7);
    await q.reconcile([[1, 2]], [[1, 1]], 8);
    await q.reconcile([[1, 2]], [[1, 2]], 8);
    await q.reconcile([[1, 2]], [[1, 2]], 8);
    await q.renew('e'.repeat(32));
    await add(q, 'answer 1 of another');
  };
  const said = (q) => JSON.stringify([q.numbers(), q.next, q.abandoned, [...q.kept], [...q.sessions].sort((a, b) => a[0] - b[0])]);
  const states = [];
  const whole = new Disk();
  let number = 0;
  const q = await Queue.open(whole.start(async () => { if (number++ > 0) states.push(said(await Queue.open(whole.start(), newEpoch))); }), () => 'f'.repeat(32));
  await script(q);
  states.push(said(await open(whole)));
  assert.equal(said(q), states.at(-1));
  assert.ok(number > 10, `${number} commits`);
  for (let at = 0; at < number; at++) {
    for (const fault of ['before', 'after']) {
      const disk = new Disk();
      let n = 0;
      await assert.rejects(async () => script(await Queue.open(disk.start(() => n++ === at ? fault : ''), () => 'f'.repeat(32))), Crash);
      const next = await Queue.open(disk.start(), () => 'f'.repeat(32));
      assert.equal(said(next), states[Math.max(0, at - (fault === 'before'))], `${fault} commit ${at}`);
    }
  }
});

test('an answer that could not be stored is not there, and its number is given out later', async () => {
  const disk = new Disk();
  let full = false;
  const q = await open(disk, () => full ? 'full' : '');
  await add(q, 'first');
  full = true;
  await assert.rejects(add(q, 'lost', session(2)), { name: 'QuotaExceededError' });
  assert.deepEqual([q.numbers().highest, await everything(q), q.sessions.size], [1, [1], 1]);
  await assert.rejects(q.abandon());
  await assert.rejects(q.note(session(2)));
  await assert.rejects(q.settle(receipts(1), good, 5));
  assert.deepEqual([q.abandoned, q.sessions.size, [...q.unsent], q.kept.size], [0, 1, [1], 0]);
  full = false;
  assert.equal(await add(q, 'second'), 2);
  assert.deepEqual(disk.keys('queue'), [1, 2]);
});

test('only a good receipt for an answer in the queue takes it out', async () => {
  const { q, disk } = await filled(4);
  const asked = [];
  const check = async (e, r) => {
    asked.push(e.n);
    return r.receipt === 'good ' + e.digest;
  };
  const digest = (n) => disk.sets.queue.get(n).digest;
  const left = await q.settle([
    { n: 1, outcome: 'stored', receipt: 'good ' + digest(1) },
    { n: 2, outcome: 'stored', receipt: 'good ' + digest(3) }, // of another answer
    { n: 9, outcome: 'stored', receipt: 'good' }, // never given out
    { n: '4', outcome: 'stored', receipt: 'good ' + digest(4) },
    {},
  ], check, 3 * day + 77);
  assert.equal(left, 1);
  assert.deepEqual([disk.keys('queue'), disk.keys('kept'), asked], [[2, 3, 4], [1], [1, 2]]);
  assert.equal(disk.sets.kept.get(1).sent, 3 * day, 'the day alone');
  assert.equal(await q.settle(receipts(1), good, 9 * day), 0, 'a second receipt');
  assert.equal(disk.sets.kept.get(1).sent, 3 * day);
  await assert.rejects(q.settle(receipts(2, 3), async (e) => { if (e.n === 3) throw new Error('no cryptography'); return true; }, 79));
  assert.deepEqual(disk.keys('queue'), [2, 3, 4]);
  assert.equal(await q.settle(receipts(4, 3, 2), good, 80), 3);
  assert.equal(q.unsent.size, 0);
});

test('take gives the lowest numbers behind a number, as far as they fit, and at least one', async () => {
  const { q } = await filled(5); // of 8 bytes each
  const numbers = async (...how) => (await q.take(...how)).map((e) => e.n);
  assert.deepEqual(await numbers(2, 100), [1, 2]);
  assert.deepEqual(await numbers(2, 100, 2), [3, 4]);
  assert.deepEqual(await numbers(9, 100, 4), [5]);
  assert.deepEqual(await numbers(2, 100, 5), [1, 2], 'begins again');
  assert.deepEqual(await numbers(9, 24), [1, 2, 3]);
  assert.deepEqual(await numbers(9, 1), [1]);
  await q.settle(receipts(1, 2, 3, 4, 5), good, 1);
  assert.deepEqual(await numbers(9, 100), []);
  assert.deepEqual(await numbers(9, 100, 3), []);
});

test('what the server does not call received goes into the queue again', async () => {
  const { q, disk } = await filled(5);
  const before = structuredClone(disk.sets.queue);
  await q.settle(receipts(1, 2, 3, 4), good, 5);
  assert.equal(await q.reconcile([[1, 1], [4, 4]], [], 6), 2);
  assert.deepEqual([disk.keys('queue'), disk.keys('kept')], [[2, 3, 5], [1, 4]]);
  assert.deepEqual(disk.sets.queue.get(2), before.get(2), 'as it was');
  assert.deepEqual(q.numbers(), { epoch: q.epoch, highest: 5, unsent: [[2, 3], [5, 5]], kept: [[1, 1], [4, 4]] });
  assert.equal(await q.reconcile([], [[1, 4]], 6), 2, 'nothing is forgotten that the server has not');
  assert.deepEqual([disk.keys('queue'), disk.keys('kept')], [[1, 2, 3, 4, 5], []]);
});

test('kept answers go once a backup has them, or after 60 days', async () => {
  const { q, disk } = await filled(4);
  await q.settle(receipts(1, 2), good, 0);
  await q.settle(receipts(3), good, day);
  await q.reconcile([[1, 3]], [], 60 * day);
  assert.deepEqual(disk.keys('kept'), [1, 2, 3]);
  await q.reconcile([[1, 3]], [[2, 2], [4, 4]], 60 * day);
  assert.deepEqual([disk.keys('kept'), disk.keys('queue')], [[1, 3], [4]], 'what waits is not forgotten');
  await q.reconcile([[1, 3]], [], 60 * day + 1);
  assert.deepEqual(disk.keys('kept'), [3]);
  await q.reconcile([], [], 100 * day);
  assert.deepEqual([disk.keys('kept'), disk.keys('queue')], [[], [3, 4]], 'nor is what was lost');
});

test('sessions are kept as long as they tell anything, and never too many', async () => {
  const { q, disk } = await filled(1);
  const kept = () => disk.keys('sessions');
  await q.note(session(2, { mono: 1, time: 2 }));
  await q.note(session(3));
  await q.settle(receipts(1), good, 5);
  await q.reconcile([[1, 1]], [], 6);
  assert.deepEqual(kept(), [1, 2, 3], 'an answer may be sent again');
  await q.reconcile([[1, 1]], [[1, 1]], 6);
  await q.reconcile([[1, 1]], [[1, 1]], 6);
  assert.deepEqual(kept(), [2, 3]);
  await add(q, 'y', session(4));
  assert.deepEqual([kept(), [...q.sessions.keys()]], [[2, 3, 4], [2, 3, 4]]);
  // A tablet that sleeps after each visitor, without network.
  for (let n = 5; n <= 4100; n++) await (n % 2 ? q.note(session(n)) : add(q, 'z' + n, session(n)));
  assert.equal(kept().length, 4000);
  assert.deepEqual([kept()[0], kept().at(-1), q.sessions.size], [101, 4100, 4000]);
  await q.note(session(4100, { mono: 1, time: 2 }));
  assert.deepEqual([kept()[0], kept().length], [101, 4000]);
});

test('what is in a file may go, what came back since may not', async () => {
  const { q, disk } = await filled(5);
  await q.settle(receipts(1, 2), good, 1);
  assert.equal(q.nowhere(), 3);
  await q.export([1, 3, 4]);
  assert.deepEqual([q.nowhere(), disk.sets.meta.get('exported')], [1, [[3, 4]]]);
  await q.export([5]);
  assert.deepEqual([q.nowhere(), disk.sets.meta.get('exported')], [0, [[3, 5]]]);
  // A restored service lacks 1 and 2: in one commit they wait again, and no file counts.
  await q.reconcile([], [], 2);
  assert.deepEqual([q.nowhere(), disk.sets.meta.get('exported'), (await open(disk)).nowhere()], [5, [], 5]);
  await q.export([3, 4, 5]); // of a file that was made before they came back
  assert.equal(q.nowhere(), 2);
});

test('what was meant for the epoch before does nothing', async () => {
  const { q, disk } = await filled(2);
  const before = q.epoch;
  await q.settle(receipts(1, 2), good, 1);
  await q.export([]);
  await q.renew('e'.repeat(32));
  await add(q, 'of the other tablet');
  await add(q, 'another');
  await q.settle(receipts(1), good, 1);
  assert.equal(await q.settle(receipts(2), good, 1, before), 0);
  assert.equal(await q.reconcile([[1, 2]], [[1, 2]], 1, before), 0);
  assert.equal(await q.reconcile([], [], 1, before), 0);
  assert.deepEqual([disk.keys('queue'), disk.keys('kept')], [[2], [1]]);
});

test('a record of a session from before its contact does not undo it', async () => {
  const { q, disk } = await filled(0);
  const early = { ...session(1), to: 10 }, anchor = { mono: 12, time: 5 };
  await q.note({ ...session(1, anchor), to: 20 });
  await add(q, 'x', early);
  const known = { ...session(1, anchor), to: 20 };
  assert.deepEqual([disk.sets.sessions.get(1), q.sessions.get(1)], [known, known]);
  await q.note({ ...known, to: 30, anchor: { mono: 25, time: 18 } });
  assert.deepEqual(disk.sets.sessions.get(1), { ...known, to: 30, anchor: { mono: 25, time: 18 } });
});

test('what was before the contact before every answer tells nothing', async () => {
  const { q, disk } = await filled(0);
  const anchor = { mono: 1, time: 2 };
  for (let n = 1; n <= 8; n++) await (n % 2 ? q.note(session(n, n > 1 && anchor)) : add(q, 'x' + n, session(n))); // answers 1 to 4 of 2, 4, 6, 8
  await q.settle(receipts(1, 2, 3), good, 1);
  const after = async (...covered) => {
    await q.reconcile([[1, 3]], covered, 1);
    return disk.keys('sessions').join();
  };
  assert.equal(await after(), '1,2,3,4,5,6,7,8');
  assert.equal(await after([2, 2]), '1,2,3,4,5,6,7,8');
  assert.equal(await after([1, 2]), '5,6,7,8');
  assert.deepEqual([...q.sessions.keys()], [5, 6, 7, 8]);
  assert.equal(await after([1, 3]), '7,8', 'answer 4 waits');
  await q.note(session(9, anchor));
  assert.equal(await after(), '7,8,9');
  await q.settle(receipts(4), good, 1);
  await q.reconcile([[1, 4]], [[4, 4]], 1);
  assert.deepEqual(disk.keys('sessions'), [9]);
});

test('sessionsOf goes from the contact before to the contact after', async () => {
  const { q } = await filled(0);
  for (let n = 1; n <= 9; n++) await q.note(session(n, [3, 6].includes(n) && { mono: 1, time: 2 }));
  const of = (...numbers) => q.sessionsOf(numbers.map((n) => ({ session: n }))).map((s) => s.n).join();
  assert.deepEqual([of(), of(1), of(3), of(4), of(5, 4), of(6), of(7), of(2, 5), of(1, 9)], ['', '1,2,3', '3', '3,4,5,6', '3,4,5,6', '6', '6,7,8,9', '1,2,3,4,5,6', '1,2,3,4,5,6,7,8,9']);
});

test('a tablet becomes another one only when nothing waits', async () => {
  const { q, disk } = await filled(2);
  await q.abandon();
  await assert.rejects(q.renew('e'.repeat(32)), /answers wait/);
  await q.settle(receipts(1), good, 1);
  await assert.rejects(q.renew('e'.repeat(32)), /answers wait/);
  await q.settle(receipts(2), good, 1);
  // One that is being added is waiting too.
  const [, refused] = await Promise.allSettled([q.add(bytes('third'), 'd', session(1)), q.renew('e'.repeat(32))]);
  assert.equal(refused.status, 'rejected');
  await q.settle(receipts(3), good, 1);
  await q.renew('e'.repeat(32));
  for (const now of [q, await open(disk)]) {
    assert.deepEqual(now.numbers(), { epoch: 'e'.repeat(32), highest: 0, unsent: [], kept: [] });
    assert.equal(now.abandoned, 0);
  }
  assert.equal(await add(q), 1);
});

test('what is done at once is done one after another', async () => {
  const disk = new Disk();
  let running = 0, most = 0;
  const q = await open(disk, async () => {
    most = Math.max(most, ++running);
    for (let i = 0; i < 3; i++) await new Promise(setImmediate);
    running--;
    return '';
  });
  const numbers = await Promise.all(Array.from({ length: 20 }, (_, i) => add(q, 'answer ' + i)));
  assert.deepEqual(numbers.sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i + 1));
  assert.equal(new Set([...disk.sets.queue.values()].map((e) => e.digest)).size, 20);
  const [taken, a, b, next] = await Promise.all([q.take(5, Infinity), q.settle(receipts(1, 2, 3), good, 1), q.settle(receipts(3, 4), good, 2), add(q), q.reconcile([[1, 4]], [[2, 2]], 3)]);
  assert.deepEqual([taken.length, a, b, next], [5, 3, 1, 21]);
  assert.deepEqual([disk.keys('kept'), q.unsent.size, most], [[1, 3, 4], 17, 1]);
});

test('a change that fails does not stop the next', async () => {
  const disk = new Disk();
  let n = 0;
  const q = await open(disk, () => n++ === 1 ? 'full' : '');
  const [first, second] = await Promise.allSettled([add(q, 'a'), add(q, 'b')]);
  assert.deepEqual([first.status, second.value], ['rejected', 1]);
});

test('batches are numbered upwards, over starts too', async () => {
  const disk = new Disk();
  const turns = [];
  for (let start = 1; start <= 3; start++) {
    const q = await open(disk);
    await q.note(session(start));
    for (let i = 0; i < 4; i++) turns.push(q.nextTurn());
    await q.note(session(start, { mono: 1, time: 2 }));
    turns.push(q.nextTurn());
  }
  for (let i = 1; i < turns.length; i++) assert.ok(turns[i] > turns[i - 1], String(turns));
  assert.ok(turns[0] > 0);
});

test('ranges', () => {
  assert.deepEqual(ranges([]), []);
  assert.deepEqual(ranges([3, 1, 2, 7, 5, 6, 10]), [[1, 3], [5, 7], [10, 10]]);
  assert.deepEqual(ranges(new Set([100, 9])), [[9, 9], [100, 100]]);
  assert.deepEqual(ranges([2, 2, 3, 3]), [[2, 3]]);
  for (const [n, yes] of [[0, false], [1, true], [3, true], [4, false], [5, true]]) assert.equal(within([[1, 3], [5, 5]], n), yes);
});
