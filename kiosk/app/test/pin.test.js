import assert from 'node:assert/strict';
import test from 'node:test';
import { hashPIN, Lock } from '../pin.js';

const stored = { pin: await hashPIN('2468'), tries: 0 };

// of is a tablet that keeps what it is told, which outlives restarts.
function of(kept = structuredClone(stored)) {
  const tablet = { stored: kept, keep: async (values) => { Object.assign(kept, values); } };
  return { tablet, time: 1000, lock() { return new Lock(tablet, () => this.time); } };
}

test('a PIN opens, another one does not', async () => {
  const t = of(), lock = t.lock();
  for (const wrong of ['', '246', '24680', '8642']) assert.equal(await lock.open(wrong), false);
  assert.equal(t.tablet.stored.tries, 4);
  assert.equal(await lock.open('2468'), true);
  assert.deepEqual([t.tablet.stored.tries, lock.wait()], [0, 0]);
});

test('after five wrong tries the right one opens nothing for a minute', async () => {
  const t = of(), lock = t.lock();
  for (let i = 1; i <= 5; i++) await lock.open('0000');
  assert.equal(lock.wait(), 60e3);
  assert.equal(await lock.open('2468'), false);
  t.time += 59e3;
  assert.equal(await lock.open('2468'), false);
  t.time += 1e3;
  for (let i = 1; i <= 5; i++) assert.equal(await lock.open('0000'), false);
  assert.equal(lock.wait(), 60e3, 'and again');
  t.time += 60e3;
  assert.equal(await lock.open('2468'), true);
});

test('tries at once are as many', async () => {
  const t = of(), lock = t.lock();
  assert.deepEqual(await Promise.all(['1', '2', '3', '4', '5', '6', '2468'].map((pin) => lock.open(pin))), Array(7).fill(false));
  assert.deepEqual([t.tablet.stored.tries, lock.wait()], [5, 60e3]);
});

test('a restart saves no try and no wait', async () => {
  const t = of();
  for (let i = 1; i <= 4; i++) await t.lock().open('0000');
  const { keep } = t.tablet;
  t.tablet.keep = async (values) => { await keep(values); throw new Error('the program ends here'); };
  t.lock().open('0000'); // it never learns whether that was right
  await new Promise(setImmediate);
  t.tablet.keep = keep;
  const lock = t.lock();
  assert.equal(lock.wait(), 60e3);
  assert.equal(await lock.open('2468'), false);
});

test('staff get in where the storage takes nothing', async () => {
  const t = of();
  t.tablet.keep = async () => { throw new DOMException('full', 'QuotaExceededError'); };
  assert.equal(await t.lock().open('2468'), true);
});
