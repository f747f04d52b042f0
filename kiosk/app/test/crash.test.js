// Everything that can go wrong between the moment when an answer is finished and its
// receipt, in every combination of a few at a time.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Clock } from '../clock.js';
import { Queue } from '../queue.js';
import { bytes, hex, sha256, signer } from '../seal.js';
import { Failure, Sync } from '../sync.js';
import { Crash, Disk } from '../testbed/memory.js';
import { newEpoch, reply, Server } from '../testbed/server.js';

const commits = ['', 'before', 'after', 'full'];
const contacts = ['', 'request lost', 'response lost', 'twice', 'late', 'very late', 'portal', 'busy', 'restored before', 'restored after'];

// explore runs with every choice of at most most faults. choose(options) returns one of
// them; the first is that nothing happens.
async function explore(most, run) {
  let runs = 0;
  for (const open = [{ picks: [], faults: 0 }]; open.length > 0; runs++) {
    const { picks, faults } = open.pop();
    const taken = [], names = [];
    const choose = (options) => {
      const pick = picks[taken.length] || 0;
      taken.push({ pick, of: options.length });
      names.push(options[pick]);
      return options[pick];
    };
    try {
      await run(choose);
    } catch (e) {
      e.message = `with ${JSON.stringify(names)}: ${e.message}`;
      throw e;
    }
    if (faults === most) continue;
    for (let i = picks.length; i < taken.length; i++) {
      for (let pick = 1; pick < taken[i].of; pick++) open.push({ picks: [...taken.slice(0, i).map((t) => t.pick), pick], faults: faults + 1 });
    }
  }
  return runs;
}

// Lost is what fetch throws when the network fails.
class Lost extends Error {}

const proofs = await signer(new Uint8Array(32).fill(7));

// World is a tablet with its people, and the server.
class World {
  constructor(choose) {
    this.choose = choose;
    this.disk = new Disk();
    this.at = Date.UTC(2026, 10, 24, 3, 20);
    this.ahead = 0; // of the tablet's wall clock
    this.started = this.at;
    this.server = new Server(proofs, () => this.at);
    this.late = [];
    this.veryLate = [];
    this.turn = 0;
    this.count = 0;
    this.thanked = new Map(); // number → digest
  }

  // boot starts the program, again and again until it runs.
  async boot() {
    for (;;) {
      this.started = this.at += 1000;
      this.storage = this.disk.start(() => this.choose(commits));
      try {
        this.queue = await Queue.open(this.storage, newEpoch);
        const { sessions } = await this.storage.load();
        this.clock = new Clock(() => ({ mono: this.at - this.started, wall: this.at + this.ahead }), sessions[sessions.length - 1] || null);
        await this.queue.note(this.clock.record());
        break;
      } catch (e) {
        if (!(e instanceof Crash) && e.name !== 'QuotaExceededError') throw e;
      }
    }
    this.sync = new Sync({
      queue: this.queue, clock: this.clock, proofs, tell: () => ({ app: 'a', bundle: 'b', status: {} }),
      // What the contact does with an error is its own matter: ours ends the test.
      fetch: (address, o) => this.fetch(o.body).catch((e) => {
        if (!(e instanceof Lost)) this.wrong = e;
        throw e;
      }),
    });
  }

  // step does one thing of a script, and starts the program again where that ended it.
  async step(name) {
    this.at += 10_000;
    if (name === 'jump') this.ahead += 3600e3;
    if (name === 'restart') await this.boot();
    if (name === 'backup') this.server.backup();
    if (name === 'verify') this.server.verify();
    this.during = name === 'sync and add';
    try {
      if (name === 'add') await this.add();
      if (name.startsWith('sync')) while ((await this.sync.once()).more);
    } catch (e) {
      if (!(e instanceof Crash) && !(e instanceof Failure) && e.name !== 'QuotaExceededError') throw e;
    }
    if (this.storage.dead) await this.boot();
    this.check();
  }

  // add is somebody who answers, and is thanked or not.
  async add() {
    const sealed = bytes(`answer ${++this.count}`), digest = hex(await sha256(sealed));
    const n = await this.queue.add(sealed, digest, this.clock.record());
    assert.ok(!this.thanked.has(n), `number ${n} was given out twice`);
    this.thanked.set(n, digest);
  }

  async fetch(body) {
    const { turn } = JSON.parse(body);
    assert.ok(turn > this.turn, `turn ${turn} after ${this.turn}`);
    this.turn = turn;
    if (this.during) {
      this.during = false;
      try {
        await this.add();
      } catch (e) {
        if (!(e instanceof Crash) && e.name !== 'QuotaExceededError') throw e;
      }
      if (this.storage.dead) throw new Lost('nobody is there any more');
    }
    const what = this.choose(this.old ? [...contacts, 'an old answer'] : contacts);
    if (what === 'request lost') throw new Lost('fetch failed');
    if (what === 'portal') return reply('<!DOCTYPE html><title>Wi-Fi</title>');
    if (what === 'busy') return reply('{"error":{"code":"unavailable"}}', 503);
    if (what === 'late' || what === 'very late') {
      this[what === 'late' ? 'late' : 'veryLate'].push(body);
      throw new Lost('too slow');
    }
    if (what === 'restored before') this.server.restore();
    if (what === 'an old answer') {
      await this.server.handle(body);
      return reply(this.old);
    }
    if (what === 'twice') await this.server.handle(body);
    const answer = await this.server.handle(body);
    for (const request of this.late.splice(0)) await this.server.handle(request);
    if (what === 'restored after') this.server.restore();
    this.old = answer;
    if (what === 'response lost') throw new Lost('terminated');
    return reply(answer);
  }

  // check is what holds at any moment: what somebody was thanked for is on the disk until
  // a backup has it, and left the queue by a receipt alone.
  check() {
    if (this.wrong) throw this.wrong;
    const { queue, kept } = this.disk.sets;
    for (const [n, digest] of this.thanked) {
      const there = queue.get(n) || kept.get(n);
      assert.ok(there ? there.digest === digest : this.server.kept.stored.has(digest), `answer ${n} is gone`);
    }
    for (const [n, e] of kept) {
      assert.ok(this.server.receipted.has(e.digest), `answer ${n} left the queue without a receipt`);
      assert.ok(!queue.has(n), `answer ${n} is in the queue and kept`);
    }
    assert.deepEqual([...this.queue.unsent].sort((a, b) => a - b), this.disk.keys('queue'));
    assert.deepEqual([...this.queue.kept.keys()].sort((a, b) => a - b), this.disk.keys('kept'));
  }

  // recover lets everything go well, until nothing waits.
  async recover() {
    this.choose = (options) => options[0];
    for (let i = 0; i < 4; i++) await this.step('sync');
    assert.equal(this.queue.unsent.size, 0);
  }

  // end checks what is on the server when all is over.
  async end() {
    await this.recover();
    for (const request of this.veryLate.concat(this.late)) await this.server.handle(request);
    await this.recover();
    const { epoch, highest } = this.queue.numbers();
    const received = this.server.received.get(epoch) || new Map();
    for (const [n, digest] of this.thanked) assert.equal(received.get(n), digest, `number ${n} on the server`);
    assert.deepEqual([...received.keys()].sort((a, b) => a - b), Array.from({ length: highest }, (_, i) => i + 1));
    assert.equal(new Set(received.values()).size, highest);
    assert.equal(this.server.stored.size, highest);
  }
}

// One fault less where nobody waits for everything.
const whole = process.env.CI === 'true';

for (const [most, least, ...script] of [
  [3, 1000, 100, 'add', 'sync'],
  [2, 700, 30, 'add', 'sync', 'add', 'sync'],
  [2, 1500, 40, 'add', 'sync and add', 'restart', 'add', 'sync'],
  [2, 1500, 40, 'add', 'sync', 'backup', 'add', 'verify', 'sync', 'add', 'sync'],
  [2, 700, 30, 'sync', 'jump', 'sync', 'restart', 'add', 'sync'],
].map(([most, least, fewer, ...script]) => (whole ? [most, least, ...script] : [most - 1, fewer, ...script]))) {
  test(`at most ${most} faults in ${script.join(', ')}`, async (t) => {
    if (!whole) t.diagnostic(`small: ${most} faults at a time, where CI=true ${most + 1}`);
    const runs = await explore(most, async (choose) => {
      const w = new World(choose);
      await w.boot();
      for (const name of script) await w.step(name);
      await w.end();
    });
    assert.ok(runs > least, `${runs} runs`);
  });
}
