import assert from 'node:assert/strict';
import test from 'node:test';
import { Clock } from '../clock.js';
import { exportFiles, takeReceipts } from '../export.js';
import { Queue } from '../queue.js';
import { base64, bytes, hex, random, sha256, signer } from '../seal.js';
import { Disk } from '../testbed/memory.js';
import { newEpoch } from '../testbed/server.js';

const { publicKey } = await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
const seal = base64(new Uint8Array(await crypto.subtle.exportKey('raw', publicKey)));

async function tablet(answers) {
  const queue = await Queue.open(new Disk().start(), newEpoch), clock = new Clock(() => ({ mono: 1, wall: 1 }), null);
  for (let i = 0; i < answers; i++) {
    const sealed = bytes('answer ' + i);
    await queue.add(sealed, hex(await sha256(sealed)), clock.record());
  }
  return { queue, clock, bundle: { seal }, stored: { device: { id: 'T1', key: random(32) } }, tell: () => ({}) };
}

test('a file says which answers are in it, and takes none of them away', async () => {
  const t = await tablet(3);
  const { files, numbers } = await exportFiles(t);
  assert.deepEqual([files.length, numbers, [...t.queue.unsent]], [1, [1, 2, 3], [1, 2, 3]]);
  const { sipas_kiosk_export: format, device, sealed } = JSON.parse(await files[0].text());
  assert.deepEqual([format, device], [1, 'T1']);
  assert.ok(sealed.length > 100 && !sealed.includes(btoa('answer')));
  assert.deepEqual((await exportFiles(await tablet(0))).numbers, []);
});

test('more answers than a file takes are in more files', async () => {
  const t = await tablet(0);
  const bytesOf = { 1: 1 << 20, 2: 1 << 10, 3: 19.5 * (1 << 20), 5: 1 << 10 };
  const sizes = new Map([1, 2, 3, 5].map((n) => [n, { n, session: 1, digest: '', sealed: new Uint8Array(bytesOf[n]) }]));
  t.queue.unsent = new Set(sizes.keys());
  t.queue.storage.read = async (_, numbers) => numbers.map((n) => sizes.get(n));
  const { files, numbers } = await exportFiles(t);
  assert.deepEqual([files.map((f) => f.name.split('-').pop()), numbers], [['1.json', '2.json'], [1, 2, 3, 5]]);
});

test('receipts of a file let only those answers go for which they are', async () => {
  const t = await tablet(3), proofs = await signer(t.stored.device.key);
  const [first, second] = await t.queue.take(2, Infinity);
  const receipts = [
    { n: 1, outcome: 'stored', receipt: await proofs.receipt(first.digest, 'stored') },
    { n: 2, outcome: 'stored', receipt: await proofs.receipt(first.digest, 'stored') },
    { n: 3, outcome: 'stored', receipt: await proofs.receipt(second.digest, 'stored') },
  ];
  assert.equal(await takeReceipts(t, JSON.stringify({ receipts })), 1);
  assert.deepEqual([...t.queue.unsent], [2, 3]);
  for (const text of ['', 'null', '{}', '[]', '{"receipts":1}', '<html>']) assert.equal(await takeReceipts(t, text), null);
});
