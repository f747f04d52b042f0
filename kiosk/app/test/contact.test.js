import assert from 'node:assert/strict';
import test from 'node:test';
import { Clock } from '../clock.js';
import { Contact } from '../contact.js';
import { Queue } from '../queue.js';
import { bytes, hex, sha256, signer } from '../seal.js';
import { Tablet } from '../tablet.js';
import { Disk } from '../testbed/memory.js';
import { newEpoch, reply, Server } from '../testbed/server.js';

const serverTime = Date.UTC(2026, 10, 24, 3, 20);
const keys = [7, 8].map((n) => new Uint8Array(32).fill(n));

// Pauses of a contact end with the test.
const { setTimeout } = globalThis;
globalThis.setTimeout = (f, ms) => setTimeout(f, ms).unref();

// open is a paired tablet with n answers, its server and a release that comes when staged.
async function open(n) {
  const t = { disk: new Disk(), mono: 1, log: [], releases: [], change: (answer) => answer };
  const storage = t.disk.start((operations) => t.fault?.(operations) ?? '');
  const queue = await Queue.open(storage, newEpoch);
  const clock = new Clock(() => ({ mono: ++t.mono, wall: 5 }), null);
  const stage = async (app, bundle) => {
    t.log.push('stage ' + bundle);
    await t.fetched;
    t.releases.push(bundle);
    return { bundle };
  };
  t.tablet = new Tablet({ storage, queue, clock, release: { now: null, stage }, bundle: null, stored: { device: { id: 'D1', name: '', desk: '', key: keys[0] } } });
  t.servers = new Map(await Promise.all(keys.map(async (key, i) => {
    const proofs = await signer(key), server = new Server(proofs, () => serverTime);
    return ['Bearer ' + proofs.bearer, { i, server }];
  })));
  t.contact = new Contact(t.tablet, async (address, { body, headers }) => {
    const { i, server } = t.servers.get(headers.Authorization);
    t.log.push(`batch ${i + 1}`);
    await t.network?.();
    return reply(await server.handle(body, (answer) => t.change({ ...answer, name: 'Máy ' + (i + 1), desk: 'Q' + (i + 1) }, i + 1)));
  });
  for (let i = 1; i <= n; i++) {
    const sealed = bytes(String(i).padEnd(20));
    await queue.add(sealed, hex(await sha256(sealed)), clock.record());
  }
  t.until = async (holds) => { for (let i = 0; !holds(); i++) { assert.ok(i < 2000, t.log.join()); await new Promise((r) => { setTimeout(r, 1); }); } };
  return t;
}

// held is a promise and the way to keep it.
function held() {
  const h = {};
  h.promise = new Promise((resolve) => { h.go = resolve; });
  return h;
}

test('a contact takes up what the server says', async () => {
  const t = await open(3);
  t.change = (answer) => ({ ...answer, message: 'Sạc máy', app: {}, bundle: 'b1' });
  assert.equal(await t.contact.meet(), false);
  const { stored, staged, clock } = t.tablet;
  assert.deepEqual([stored.device, stored.message, stored.revoked, staged], [{ id: 'D1', name: 'Máy 1', desk: 'Q1', key: keys[0] }, 'Sạc máy', false, { bundle: 'b1' }]);
  assert.deepEqual([stored.contact.result, stored.clock.seen, clock.seen], ['ok', serverTime, serverTime]);
  for (const key of ['device', 'message', 'revoked', 'contact', 'clock']) assert.deepEqual(t.disk.sets.meta.get(key), stored[key]);
  t.change = (answer) => ({ ...answer, revoked: true, bundle: 'b2' });
  assert.equal(await t.contact.meet(), false);
  assert.deepEqual([stored.revoked, stored.contact.result, t.releases], [true, 'revoked', ['b1']]);
});

test('answers go before a release, which is fetched also where not all of them went', async () => {
  const t = await open(450), fetched = held();
  t.fetched = fetched.promise;
  t.change = (answer) => ({ ...answer, app: {}, bundle: 'b1' });
  const meeting = t.contact.meet();
  await t.until(() => t.log.includes('stage b1'));
  assert.deepEqual([t.log, t.tablet.queue.unsent.size, t.tablet.stored.contact.result], [['batch 1', 'batch 1', 'batch 1', 'stage b1'], 0, 'ok']);
  fetched.go();
  await meeting;
  const weak = await open(450);
  weak.change = t.change;
  weak.network = async () => { if (weak.log.length > 1) throw new TypeError('fetch failed'); };
  assert.equal(await weak.contact.meet(), true);
  assert.deepEqual([weak.tablet.stored.contact.result, weak.tablet.queue.unsent.size, weak.releases], ['offline', 250, ['b1']]);
});

test('what the server says under a key of before changes nothing, and the new key is used at once', async () => {
  for (const where of ['the network', 'a release', 'the disk']) {
    const t = await open(0), { tablet, contact } = t;
    const first = held(), second = held(), written = held();
    t.change = (answer, i) => ({ ...answer, revoked: i === 1 && where !== 'a release', message: 'for ' + i, app: {}, bundle: 'b' + i });
    t.network = () => t.log.includes('batch 2') ? second.promise : where !== 'a release' && first.promise;
    t.fetched = where === 'a release' && first.promise;
    contact.talk();
    await t.until(() => t.log.includes(where === 'a release' ? 'stage b1' : 'batch 1'));
    // A disk that is slow: the answer comes while the pairing is written, and whatever is
    // written after it waits.
    if (where === 'the disk') t.fault = (operations) => t.line ||= operations.some((o) => o[2] === 'pin') && written.promise;
    else written.go();
    const other = where !== 'the disk'; // or the same one, with a new key
    const device = { id: other ? 'D2' : 'D1', name: 'Máy', desk: 'Q', key: keys[1] }, become = tablet.become({ device, pin: {}, revoked: false, message: '' }, other);
    if (where === 'the disk') first.go();
    await new Promise((r) => { setTimeout(r, 20); });
    written.go();
    await become;
    contact.wake();
    first.go();
    await t.until(() => t.log.includes('batch 2'));
    const state = () => [tablet.stored, Object.fromEntries(t.disk.sets.meta)].map((s) => [s.device, s.revoked, s.message]).concat([tablet.staged]);
    assert.deepEqual(state(), [[device, false, ''], [device, false, ''], null], where);
    second.go();
    await t.until(() => tablet.staged);
    const named = { ...device, name: 'Máy 2', desk: 'Q2' };
    assert.deepEqual(state(), [[named, false, 'for 2'], [named, false, 'for 2'], { bundle: 'b2' }], where);
  }
});

test('a disk that fails stops the tablet, and ends no contact for good', async () => {
  const t = await open(1);
  t.fault = () => 'full';
  t.contact.talk();
  await t.until(() => t.tablet.broken === 'full');
  assert.equal(t.tablet.stored.contact.result, 'storage');
  assert.equal(t.tablet.problem(), 'full');
  t.fault = null;
  await t.until(() => !t.contact.meeting);
  t.contact.wake();
  await t.until(() => t.tablet.queue.unsent.size === 0 && t.tablet.stored.contact.result === 'ok');
});
