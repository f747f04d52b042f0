import assert from 'node:assert/strict';
import test from 'node:test';
import { store } from '../answer.js';
import { Clock } from '../clock.js';
import { Queue } from '../queue.js';
import { base64, hex, newReceipt, sha256 } from '../seal.js';
import { Disk } from '../testbed/memory.js';
import { newEpoch } from '../testbed/server.js';

const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
const seal = base64(new Uint8Array(await crypto.subtle.exportKey('raw', publicKey)));

function visit(comment, bundle = { seal }) {
  const instrument = { id: 'i', version: 1, languages: ['vi'] };
  return { bundle, id: 'x', desk: 'Q1', round: { id: 'r' }, instrument, items: [{ id: 'c1' }], far: 0, answers: { c1: 5 }, profile: {}, said: { comment }, language: 'vi', mono: 1 };
}

async function start(fault) {
  const disk = new Disk(), queue = await Queue.open(disk.start((operations) => fault?.(operations) ?? ''), newEpoch);
  return { disk, queue, clock: new Clock(() => ({ mono: 1, wall: 1 }), null) };
}

test('answers of many lengths are sealed to few', async () => {
  const { disk, queue, clock } = await start();
  for (const n of [0, 1, 10, 99, 100, 101, 300, 1000]) await store(visit('ý'.repeat(n)), newReceipt(), clock, queue);
  assert.equal(disk.sets.queue.size, 8);
  for (const { sealed, digest, session } of disk.sets.queue.values()) {
    assert.equal((sealed.length - 65 - 16) % 512, 0); // a public key, the text and its tag
    assert.deepEqual([digest, session], [hex(await sha256(sealed)), 1]);
  }
});

test('an answer is of the session in which it was finished', async () => {
  const { disk, queue } = await start();
  let wall = 1;
  const clock = new Clock(() => ({ mono: 1, wall }), null);
  wall = 3600e3; // somebody sets the clock
  await store(visit(), newReceipt(), clock, queue);
  assert.deepEqual([[...disk.sets.queue.values()][0].session, disk.keys('sessions')], [2, [2]]);
});

test('a write that fails is tried three times, and then it throws', async () => {
  for (let failures = 0; failures < 5; failures++) {
    let left = failures;
    const { disk, queue, clock } = await start((operations) => operations.some((o) => o[1] === 'queue') && left-- > 0 ? 'full' : '');
    const stored = store(visit(), newReceipt(), clock, queue, 1);
    if (failures < 3) assert.equal(await stored, 1);
    else await assert.rejects(stored, { name: 'QuotaExceededError' });
    assert.deepEqual(disk.keys('queue'), failures < 3 ? [1] : []);
  }
  const { disk, queue, clock } = await start();
  await assert.rejects(store(visit('', { seal: 'no key' }), newReceipt(), clock, queue));
  assert.deepEqual(disk.keys('queue'), []);
});
