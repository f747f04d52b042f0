import assert from 'node:assert/strict';
import test from 'node:test';
import { Clock } from '../clock.js';
import { Queue } from '../queue.js';
import { base64, bytes, hex, sha256, signer, unbase64 } from '../seal.js';
import { Failure, Sync } from '../sync.js';
import { Disk } from '../testbed/memory.js';
import { newEpoch, reply, Server } from '../testbed/server.js';

const serverTime = Date.UTC(2026, 10, 24, 3, 20);
const proofs = await signer(new Uint8Array(32).fill(7)), stranger = await signer(new Uint8Array(32).fill(8));

// tablet is one with a queue of n answers of size bytes, and its server.
async function tablet(n, size = 20) {
  const t = { disk: new Disk(), bodies: [], mono: 1000 };
  t.queue = await Queue.open(t.disk.start(), newEpoch);
  t.clock = new Clock(() => ({ mono: t.mono, wall: t.mono + 5 }), null);
  t.server = new Server(proofs, () => serverTime);
  t.answer = async (body) => reply(await t.server.handle(body));
  t.sync = new Sync({
    queue: t.queue, clock: t.clock, proofs, tell: async () => ({ app: 'v1', bundle: 'b1', status: { problem: '' } }),
    fetch: async (address, options) => {
      t.asked = { address, options };
      t.bodies.push(JSON.parse(options.body));
      t.mono += 100;
      return t.answer(options.body);
    },
  });
  t.add = async (text) => {
    const sealed = bytes(String(text).padEnd(size));
    return t.queue.add(sealed, hex(await sha256(sealed)), t.clock.record());
  };
  for (let i = 1; i <= n; i++) await t.add(i);
  await t.queue.note(t.clock.record());
  t.state = () => JSON.stringify([t.queue.numbers(), [...t.queue.sessions], t.clock.offset, t.clock.record().anchor, t.disk.sets.meta.get('next'), t.disk.keys('queue'), t.disk.keys('kept')]);
  return t;
}

test('a batch says what the tablet has, and a signed answer empties the queue', async () => {
  const t = await tablet(3);
  const answer = await t.sync.once();
  const { address, options } = t.asked, [b] = t.bodies;
  assert.equal(address, '/api/v1/kiosk/sync');
  assert.deepEqual([options.method, options.cache, options.credentials, options.redirect], ['POST', 'no-store', 'omit', 'error']);
  assert.deepEqual(options.headers, { 'Content-Type': 'application/json', Authorization: 'Bearer ' + proofs.bearer });
  assert.deepEqual([b.epoch, b.highest, b.unsent, b.kept, b.app, b.bundle, b.status], [t.queue.epoch, 3, [[1, 3]], [], 'v1', 'b1', { problem: '' }]);
  assert.deepEqual([b.session, b.mono, b.wall, b.sessions], [1, 1000, 1005, [{ n: 1, from: 1000, to: 1000, wall: 1005 }]]);
  assert.deepEqual(b.items.map((it) => [it.n, new TextDecoder().decode(unbase64(it.sealed)).trim()]), [[1, '1'], [2, '2'], [3, '3']]);
  assert.ok(b.nonce.length >= 16 && Number.isInteger(b.turn));
  assert.deepEqual([answer.name, answer.more, t.queue.unsent.size, t.disk.keys('kept')], ['Máy 1', false, 0, [1, 2, 3]]);
  assert.equal(t.disk.sets.kept.get(1).sent, Date.UTC(2026, 10, 24));
  // The server's time held in the middle of the contact.
  assert.deepEqual(t.disk.sets.sessions.get(1), { n: 1, from: 1000, to: 1100, wall: 1005, anchor: { mono: 1050, time: serverTime } });
  assert.equal(t.clock.time(), serverTime + 50);
  await t.sync.once();
  assert.deepEqual([t.bodies[1].kept, t.bodies[1].unsent, t.bodies[1].items, t.bodies[1].sessions.length], [[[1, 3]], [], [], 1]);
  assert.ok(t.bodies[1].turn > b.turn && t.bodies[1].nonce !== b.nonce);
});

test('nothing but the signed answer to this very batch changes anything', async () => {
  const signedBy = (who, nonce, answer) => who.answer(nonce, answer).then((mac) => reply(JSON.stringify({ answer, mac })));
  for (const [name, kind, respond] of [
    ['no network', 'offline', async () => { throw new TypeError('fetch failed'); }],
    ['a timeout', 'offline', async () => { throw new DOMException('too slow', 'TimeoutError'); }],
    ['an answer that is cut off', 'offline', async () => ({ ok: true, status: 200, text: async () => { throw new TypeError('terminated'); } })],
    ['the sign-in page of a network', 'stranger', async () => reply('<!DOCTYPE html><title>Wi-Fi</title>')],
    ['nothing', 'stranger', async () => reply('')],
    ['null', 'stranger', async () => reply('null')],
    ['half an answer', 'stranger', async (t, b) => reply((await t.server.handle(b)).slice(0, 200))],
    ['another key', 'stranger', async (t, b) => {
      const { answer } = JSON.parse(await t.server.handle(b));
      return signedBy(stranger, JSON.parse(b).nonce, answer);
    }],
    ['an altered answer', 'stranger', async (t, b) => {
      const signed = JSON.parse(await t.server.handle(b));
      return reply(JSON.stringify({ ...signed, answer: signed.answer.replace('"revoked":false', '"revoked":true') }));
    }],
    ['no signature', 'stranger', async (t, b) => reply(JSON.stringify({ answer: JSON.parse(await t.server.handle(b)).answer }))],
    ['the answer to another batch', 'stranger', async (t, b) => reply(await t.server.handle(JSON.stringify({ ...JSON.parse(b), nonce: 'another nonce of it' })))],
    ['a signature for another nonce inside', 'stranger', async (t, b) => {
      const { answer } = JSON.parse(await t.server.handle(JSON.stringify({ ...JSON.parse(b), nonce: 'another nonce of it' })));
      return signedBy(proofs, JSON.parse(b).nonce, answer);
    }],
    ['a signed text that is no JSON', 'stranger', async (t, b) => signedBy(proofs, JSON.parse(b).nonce, 'yes')],
    ['400', 'stranger', async (t, b) => reply(await t.server.handle(b), 400)],
    ['401', 'refused', async (t, b) => reply(await t.server.handle(b), 401)],
    ['407', 'stranger', async () => reply('', 407)],
    ['413', 'stranger', async (t, b) => reply(await t.server.handle(b), 413)],
    ['429', 'server', async (t, b) => reply(await t.server.handle(b), 429)],
    ['500', 'server', async (t, b) => reply(await t.server.handle(b), 500)],
    ['503', 'server', async (t, b) => reply(await t.server.handle(b), 503)],
    ['304', 'stranger', async (t, b) => reply(await t.server.handle(b), 304)],
  ]) {
    const t = await tablet(3);
    await t.sync.once();
    await t.add('new');
    const before = t.state();
    t.answer = (body) => respond(t, body);
    await assert.rejects(t.sync.once(), (e) => {
      assert.ok(e instanceof Failure, `${name}: ${e.stack}`);
      assert.equal(e.kind, kind, name);
      return true;
    });
    assert.equal(t.state(), before, name);
    // And the next contact goes well.
    t.answer = async (body) => reply(await t.server.handle(body));
    await t.sync.once();
    assert.deepEqual([t.queue.unsent.size, t.queue.kept.size], [0, 4], name);
  }
});

test('a revoked tablet keeps everything', async () => {
  const t = await tablet(2);
  await t.sync.once();
  await t.add('new');
  t.answer = async (body) => reply(await t.server.handle(body, (answer) => ({ ...answer, revoked: true, receipts: [], received: [], covered: [[1, 9]] })));
  const answer = await t.sync.once();
  assert.deepEqual([answer.revoked, answer.more, t.disk.keys('queue'), t.disk.keys('kept')], [true, false, [3], [1, 2]]);
});

test('an answer without a receipt, or with a wrong one, stays and lets the others go', async () => {
  const t = await tablet(5);
  t.answer = async (body) => reply(await t.server.handle(body, (answer) => {
    answer.receipts.forEach((r) => {
      if (r.n === 2) r.receipt = answer.receipts[0].receipt;
      if (r.n === 3) r.outcome = 'withdrawn'; // the receipt is for another outcome
    });
    answer.receipts = answer.receipts.filter((r) => r.n !== 5);
    return answer;
  }));
  const answer = await t.sync.once();
  assert.deepEqual([answer.more, t.disk.keys('queue')], [true, [2, 3, 5]]);
  t.server.outcome = (n) => ({ 2: 'withdrawn', 3: 'quarantined', 5: '' })[n] ?? 'stored';
  t.answer = async (body) => reply(await t.server.handle(body));
  await t.sync.once();
  assert.deepEqual(t.disk.keys('queue'), [5]);
  assert.equal((await t.sync.once()).more, false, 'one that fails is not sent again at once');
  t.server.outcome = () => 'stored';
  await t.sync.once();
  assert.deepEqual(t.disk.keys('queue'), []);
});

test('what a restored server has lost is sent again', async () => {
  const t = await tablet(3);
  await t.sync.once();
  t.server.restore();
  await t.sync.once();
  assert.equal(t.queue.unsent.size, 3);
  assert.deepEqual([t.disk.keys('queue'), t.disk.keys('kept')], [[1, 2, 3], []]);
  await t.sync.once();
  assert.deepEqual([t.disk.keys('queue'), t.server.stored.size], [[], 3]);
});

test('a batch has at most 200 answers and 1 MB of them', async () => {
  const t = await tablet(450);
  const left = [];
  for (let more = true; more; left.push(t.queue.unsent.size)) ({ more } = await t.sync.once());
  assert.deepEqual([t.bodies.map((b) => b.items.length), left], [[200, 200, 50], [250, 50, 0]]);
  const large = await tablet(30, 100_000);
  for (let more = true; more;) ({ more } = await large.sync.once());
  assert.deepEqual(large.bodies.map((b) => b.items.length), [10, 10, 10]);
  for (const b of large.bodies) assert.ok(b.items.reduce((sum, it) => sum + unbase64(it.sealed).length, 0) <= 1 << 20);
});

test('turns grow with every batch, whatever becomes of it, and with a new Sync', async () => {
  const t = await tablet(1);
  const { answer } = t;
  for (let i = 0; i < 12; i++) {
    t.answer = i % 3 ? answer : async () => { throw new TypeError('fetch failed'); };
    await t.sync.once().catch(() => {});
    if (i % 4 === 3) { // paired anew
      const { sync } = t;
      t.sync = new Sync({ queue: t.queue, clock: t.clock, proofs, tell: sync.tell, fetch: sync.fetch });
    }
  }
  const turns = t.bodies.map((b) => b.turn);
  for (let i = 1; i < turns.length; i++) assert.ok(turns[i] > turns[i - 1], String(turns));
});

// The server refuses every batch with certain answers. Everything else gets through in
// few contacts, also what is added later, and in the end they do.
test('smaller batches find the answers that are refused, and the rest goes through', async () => {
  for (const status of [400, 413, 422]) {
    const t = await tablet(300);
    let wrong = [3, 77, 300];
    t.answer = async (body) => JSON.parse(body).items.some((it) => wrong.includes(it.n)) ? reply('{}', status) : reply(await t.server.handle(body));
    let contacts = 0;
    const send = () => t.sync.once().then((a) => a.more, () => false);
    for (; t.queue.unsent.size > 3; contacts++) {
      assert.ok(contacts < 80, `${t.queue.unsent.size} wait after ${contacts} contacts`);
      await send();
    }
    assert.deepEqual(t.disk.keys('queue'), wrong);
    for (let i = 1; i <= 20; i++) {
      await t.add('later ' + i);
      for (let tries = 1; t.queue.unsent.has(300 + i); tries++) {
        assert.ok(tries <= 10, `answer ${300 + i} waits`);
        await send();
      }
    }
    assert.deepEqual(t.disk.keys('queue'), wrong);
    wrong = [];
    for (let i = 0; t.queue.unsent.size > 0; i++) {
      assert.ok(i < 10);
      await send();
    }
    assert.equal(t.server.stored.size, 320);
  }
});

// Everybody's batches are too many for the server at times. That says nothing of this one.
test('a server that is busy gets the same batch again', async () => {
  for (const status of [429, 500, 503]) {
    const t = await tablet(450);
    await t.sync.once();
    t.answer = async () => reply('{}', status);
    for (let i = 0; i < 12; i++) await assert.rejects(t.sync.once(), { kind: 'server' });
    t.answer = async (body) => reply(await t.server.handle(body));
    await t.sync.once();
    const sent = t.bodies.slice(1).map((b) => b.items.map((it) => it.n));
    for (const numbers of sent) assert.deepEqual(numbers, sent[0], String(status));
    assert.deepEqual([sent[0].length, sent[0][0]], [200, 201]);
  }
});

test('pauses', async () => {
  const t = await tablet(0);
  const { sync } = t;
  for (let failures = 0; failures < 2000; failures++) {
    const most = 5e3 + Math.min(600e3, 5e3 * 2 ** failures);
    const before = sync.failures;
    assert.equal(sync.pause(true, () => 0), 5e3);
    sync.failures = before;
    assert.equal(sync.pause(true, () => 1), most, `after ${failures + 1} failures`);
  }
  assert.deepEqual([sync.pause(false, () => 0), sync.pause(false, () => 1)], [60e3, 300e3]);
  assert.equal(sync.pause(true, () => 1), 10e3, 'a success forgets the failures');
  for (let i = 0; i < 1000; i++) {
    const failed = sync.pause(true), fine = sync.pause(false);
    assert.ok(failed >= 5e3 && failed <= 605e3 && fine >= 60e3 && fine <= 300e3);
  }
});

test('an answer for the epoch before changes nothing of the one of now', async () => {
  const t = await tablet(0);
  t.answer = async (body) => {
    await t.queue.renew('f'.repeat(32));
    for (const text of ['one', 'two']) await t.queue.add(bytes(text), hex(await sha256(bytes(text))), t.clock.record());
    const [first] = await t.queue.take(1, Infinity);
    await t.queue.settle([{ n: 1 }], async () => true, 5);
    assert.equal(first.n, 1);
    return reply(await t.server.handle(body, (answer) => ({ ...answer, received: [[1, 2]], covered: [[1, 2]] })));
  };
  await t.sync.once();
  assert.deepEqual([t.disk.keys('queue'), t.disk.keys('kept')], [[2], [1]]);
});

test('a contact that ran across a jump of the clock proves nothing of the time', async () => {
  const t = await tablet(1);
  const { read } = t.clock;
  let ahead = 0;
  t.clock.read = () => ({ ...read(), wall: read().wall + ahead });
  t.answer = async (body) => {
    ahead = 3600e3;
    return reply(await t.server.handle(body));
  };
  await t.sync.once();
  assert.deepEqual([t.clock.record().n, t.clock.record().anchor, t.queue.unsent.size], [2, undefined, 0]);
  assert.deepEqual([...t.queue.sessions.values()].map((s) => [s.n, s.anchor]), [[1, undefined], [2, undefined]]);
});

test('a batch has the sessions of its answers, and the one of now as it is now', async () => {
  const t = await tablet(1);
  const session = (n, anchor) => ({ n, from: 0, to: 1, wall: 5, ...anchor && { anchor: { mono: 0, time: 1 } } });
  t.clock.number = 9;
  for (const n of [2, 3, 4]) await t.queue.note(session(n, n === 3));
  t.clock.session.n = 9;
  await t.queue.note(session(9));
  t.mono += 500;
  await t.sync.once();
  assert.deepEqual(t.bodies[0].sessions, [{ n: 1, from: 1000, to: 1000, wall: 1005 }, session(2), session(3, true), { n: 9, from: 1000, to: 1500, wall: 1005 }]);
});

test('base64 of a long text', () => {
  const b = Uint8Array.from({ length: 100_003 }, (_, i) => i * 7);
  assert.equal(base64(b), Buffer.from(b).toString('base64'));
  assert.deepEqual(unbase64(base64(b)), b);
});
