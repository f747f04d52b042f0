import assert from 'node:assert/strict';
import test from 'node:test';
import { Clock } from '../clock.js';
import { pair } from '../pairing.js';
import { Queue } from '../queue.js';
import { hex, sha256 } from '../seal.js';
import { Tablet } from '../tablet.js';
import { texts } from '../texts.js';
import { Crash, Disk } from '../testbed/memory.js';
import { newEpoch, reply } from '../testbed/server.js';

// start is a tablet's program on a disk.
async function start(disk, fault) {
  const storage = disk.start(fault), queue = await Queue.open(storage, newEpoch);
  const clock = new Clock(() => ({ mono: 1, wall: 1 }), null);
  return new Tablet({ storage, queue, clock, bundle: null, stored: (await storage.load()).meta });
}

// Codes is what the service does with pairing codes: each is for the first key that comes
// with it. lose: what is answered does not arrive.
class Codes {
  constructor(devices) {
    Object.assign(this, { devices, keys: new Map(), lose: false });
    this.fetch = async (address, { body }) => {
      assert.equal(address, '/api/v1/kiosk/enrol');
      const { code, key_sha256: hash } = JSON.parse(body);
      await this.arrives?.(hash);
      const device = this.devices[code];
      const mine = device && (this.keys.get(code) ?? hash) === hash;
      if (mine) this.keys.set(code, hash);
      if (this.lose) throw new TypeError('Failed to fetch');
      const answer = mine ? { device, name: 'Máy ' + device, desk: 'Q1' } : { error: { code: 'pairing_unknown' } };
      return { ...reply('', mine ? 200 : 404), json: async () => answer };
    };
  }
}

const hash = async (key) => hex(await sha256(key));
const wrong = (key, ...values) => values.reduce((t, v) => t.replace('%s', v), texts.vi['enrol.' + key]);

test('a key is on the disk before the server hears of it', async () => {
  const disk = new Disk(), codes = new Codes({ C1: 'D1' });
  let asked = 0;
  codes.arrives = async (heard) => {
    asked++;
    assert.equal(await hash(disk.sets.meta.get('pairing')), heard);
  };
  const t = await start(disk);
  assert.equal(await pair(t, 'C1', '2468', codes.fetch), '');
  const { key } = disk.sets.meta.get('device');
  assert.deepEqual([asked, await hash(key), t.stored.device], [1, codes.keys.get('C1'), { id: 'D1', name: 'Máy D1', desk: 'Q1', key }]);
  assert.ok(!disk.sets.meta.get('pairing'), 'the next pairing has a key of its own');
  // And no disk, no request.
  const broken = await start(new Disk(), (operations) => operations.some((o) => o[2] === 'pairing') ? 'full' : '');
  await assert.rejects(pair(broken, 'C1', '2468', codes.fetch), { name: 'QuotaExceededError' });
  assert.equal(asked, 1);
});

test('when the answer is lost the same key asks again, also after a start', async () => {
  for (const restart of [false, true]) {
    const disk = new Disk(), codes = new Codes({ C1: 'D1' });
    let t = await start(disk);
    codes.lose = true;
    assert.equal(await pair(t, 'C1', '2468', codes.fetch), wrong('offline'));
    codes.lose = false;
    if (restart) t = await start(disk);
    assert.equal(await pair(t, 'C1', '2468', codes.fetch), '');
    assert.equal(await hash(t.stored.device.key), codes.keys.get('C1'));
  }
});

test('a power cut at any commit of a pairing lets the code pair again', async () => {
  for (const when of ['before', 'after']) {
    for (let at = 0; ; at++) {
      const disk = new Disk(), codes = new Codes({ C0: 'D0', C1: 'D1' });
      await pair(await start(disk), 'C0', '1111', codes.fetch);
      const first = disk.sets.meta.get('epoch');
      let commits = 0;
      const t = await start(disk, () => commits++ === at ? when : '');
      const done = await pair(t, 'C1', '2468', codes.fetch).catch((e) => { assert.ok(e instanceof Crash); });
      const { device, epoch, pin } = Object.fromEntries(disk.sets.meta);
      const known = await start(disk);
      assert.equal(device.id === 'D1', epoch !== first, 'a device and its epoch go together');
      if (device.id === 'D0') assert.equal(await pair(known, 'C1', '2468', codes.fetch), '');
      assert.deepEqual([known.stored.device.id, await hash(known.stored.device.key)], ['D1', codes.keys.get('C1')]);
      assert.ok(pin.hash.length === 64);
      if (done === '') {
        assert.ok(at >= 2);
        break;
      }
    }
  }
});

test('what is refused, and what becomes of the key', async () => {
  const disk = new Disk(), codes = new Codes({ C1: 'D1', C2: 'D2' });
  const t = await start(disk);
  const before = async () => hash(disk.sets.meta.get('pairing'));
  const answers = (status, json) => async () => ({ ...reply('', status), json });
  for (const [what, fetch] of [
    ['offline', async () => { throw new TypeError('fetch failed'); }],
    ['offline', answers(200, async () => { throw new SyntaxError('<html>'); })], // the sign-in page of a network
    ['offline', answers(503, async () => ({}))],
    ['busy', answers(429, async () => ({}))],
    ['wrong', answers(200, async () => null)],
    ['wrong', answers(200, async () => ({}))],
    ['wrong', answers(422, async () => ({}))],
  ]) {
    const key = disk.sets.meta.get('pairing') && await before();
    assert.equal(await pair(t, 'C1', '2468', fetch), wrong(what));
    assert.ok(!key || key === await before(), 'the key stays');
    assert.equal(t.stored.device, null);
  }
  assert.equal(await pair(t, 'C9', '2468', codes.fetch), wrong('wrong'));
  assert.ok(!disk.sets.meta.get('pairing'), 'a key that was refused is not used again');
  assert.equal(await pair(t, 'C1', '2468', codes.fetch), '');
  // A good code is not called wrong because the key from before is that of another device.
  const held = await start(new Disk());
  let tries = 0;
  codes.lose = true;
  await pair(held, 'C1', '2468', codes.fetch);
  codes.lose = false;
  const first = await hash(held.stored.pairing);
  assert.equal(await pair(held, 'C2', '2468', async (address, options) => {
    tries++;
    return JSON.parse(options.body).key_sha256 === first ? answers(404, async () => ({ error: {} }))() : codes.fetch(address, options);
  }), '');
  assert.deepEqual([tries, held.stored.device.id], [2, 'D2']);
  codes.keys.delete('C2');
  // Another device only without answers that wait.
  await t.queue.add(new Uint8Array(9), 'd', t.clock.record());
  assert.equal(await pair(t, 'C2', '2468', codes.fetch), wrong('other', 'Máy D2', 1, 'Máy D1'));
  assert.deepEqual([t.stored.device.id, disk.keys('queue'), disk.sets.meta.get('pairing')], ['D1', [1], null]);
});

test('a new pairing begins anew', async () => {
  const disk = new Disk(), codes = new Codes({ C1: 'D1', C2: 'D1', C3: 'D2' });
  const t = await start(disk);
  await pair(t, 'C1', '1111', codes.fetch);
  const { epoch } = t.queue;
  await t.keep({ tries: 4, revoked: true });
  assert.equal(await pair(t, 'C2', '2222', codes.fetch), '');
  assert.deepEqual([t.stored.tries, t.stored.revoked, t.queue.epoch], [0, false, epoch], 'the same tablet');
  await t.queue.add(new Uint8Array(9), 'd', t.clock.record());
  await t.queue.export([1]);
  await t.queue.settle([{ n: 1 }], async () => true, 1);
  assert.equal(await pair(t, 'C3', '2222', codes.fetch), '');
  assert.deepEqual([disk.sets.meta.get('exported'), t.queue.exported, t.queue.epoch !== epoch], [[], [], true]);
});

test('a pairing that cannot be stored changes nothing', async () => {
  const disk = new Disk(), codes = new Codes({ C1: 'D1', C2: 'D2' });
  let full = false;
  const t = await start(disk, (operations) => full && operations.some((o) => o[2] === 'device') ? 'full' : '');
  await pair(t, 'C1', '1111', codes.fetch);
  const { epoch } = t.queue, { pin } = t.stored;
  full = true;
  await assert.rejects(pair(t, 'C2', '2468', codes.fetch), { name: 'QuotaExceededError' });
  assert.deepEqual([t.stored.device.id, t.stored.pin, t.queue.epoch, disk.sets.meta.get('epoch')], ['D1', pin, epoch, epoch]);
  full = false;
  assert.equal(await pair(t, 'C2', '2468', codes.fetch), '');
  assert.deepEqual([t.stored.device.id, t.queue.epoch !== epoch], ['D2', true]);
});
