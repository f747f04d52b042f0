// Many tablets at once, for kiosk_soak_test.go of package web: people answer, programs
// crash, clocks jump, and the network is bad. What every answer said is written out at the
// end, a line each.

import assert from 'node:assert/strict';
import { readFileSync, writeSync } from 'node:fs';
import { store } from '../answer.js';
import { Clock, dayOf } from '../clock.js';
import { Queue } from '../queue.js';
import * as seals from '../seal.js';
import { begin, roundOf } from '../survey.js';
import { Failure, Sync } from '../sync.js';
import { Crash, Disk } from './memory.js';

const order = JSON.parse(readFileSync(0, 'utf8'));
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const hurry = 2000; // how much shorter pauses are

// drawer gives the same numbers from 0 to 1 for the same seed (mulberry32).
function drawer(seed) {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
}

const comments = ['Tốt', 'Chờ hơi lâu, nhưng cán bộ rất nhiệt tình.', 'Cảm ơn 👍', 'OK'];
const offsets = { right: () => 0, ahead: () => 3 * 24 * 3600e3, behind: () => -5 * 3600e3, 1970: (now) => -now };

class Tablet {
  constructor({ id, key, clock, comment }, seed) {
    Object.assign(this, { id, key: seals.unbase64(key), kind: clock, comment });
    this.draw = drawer(seed);
    this.disk = new Disk();
    this.bundle = null;
    this.answers = []; // { thanked, said } of all that were stored
    this.thanked = 0;
    this.crashes = 0;
    this.contacts = { ok: 0 };
    this.steady = false; // no crash comes any more
  }

  // boot starts the program, in place of the one before.
  async boot() {
    this.program?.storage.kill();
    for (;;) {
      const p = { storage: this.disk.start(() => this.#fault()) };
      const base = Math.floor(performance.now()) - Math.floor(1e6 * this.draw());
      this.ahead = offsets[this.kind](order.now);
      try {
        p.queue = await Queue.open(p.storage, () => seals.hex(seals.random(16)));
        const { meta, sessions } = await p.storage.load();
        const read = () => {
          const mono = Math.floor(performance.now());
          return { mono: mono - base, wall: order.now + mono + this.ahead };
        };
        p.clock = new Clock(read, sessions[sessions.length - 1] || null, meta.clock);
        await p.queue.note(p.clock.record());
        p.sync = new Sync({
          queue: p.queue, clock: p.clock, proofs: this.proofs,
          tell: () => ({ app: '', bundle: '', status: { battery: null, charging: false, persisted: true, used: 0, quota: 0, abandoned: p.queue.abandoned, problem: '' } }),
          fetch: (address, options) => fetch(order.url + address, options),
        });
        this.program = p;
        return;
      } catch (e) {
        this.#bear(e);
      }
    }
  }

  async #fault() {
    const x = this.draw();
    if (this.steady) return '';
    if (x > 0.5) await new Promise(setImmediate); // a disk is slow
    return x < 0.004 ? 'before' : x < 0.008 ? 'after' : x < 0.01 ? 'full' : '';
  }

  // bear takes an error that this test makes, and no other.
  #bear(e) {
    if (e instanceof Crash) this.crashes++;
    else if (e.name !== 'QuotaExceededError') throw e;
  }

  async run() {
    this.proofs = await seals.signer(this.key);
    await this.boot();
    const talking = this.#talk();
    while (this.thanked < order.answers) {
      const x = this.draw();
      try {
        if (x < 0.005) await this.boot();
        else if (x < 0.01) this.ahead += Math.round((this.draw() - 0.5) * 7200e3);
        else if (x < 0.03) await this.program.queue.abandon();
        else await this.#visit();
      } catch (e) {
        this.#bear(e);
        if (this.program.storage.dead) await this.boot();
      }
    }
    this.#step = 'drain';
    await talking;
  }

  #step = 'answer';

  // visit is somebody who answers; visits.js does the same.
  async #visit() {
    const { draw, bundle, program: { clock, queue } } = this;
    const round = bundle && clock.seen > 0 && !clock.wrong(bundle.day) && roundOf(bundle, dayOf(clock.time()));
    if (!round) return sleep(1);
    const visit = await begin(bundle, round, seals.newID(clock.time()), draw() < 0.2 ? 'en' : 'vi', clock.now().mono);
    const stop = draw() < 0.15 ? Math.floor(draw() * visit.items.length) : visit.items.length - 1;
    for (visit.far = 0; visit.far < stop; visit.far++) this.#choose(visit);
    this.#choose(visit);
    if (!Object.values(visit.answers).some((v) => v > 0)) visit.answers[visit.items[0].id] = 3;
    for (const s of [...visit.steps, ...visit.optional]) {
      if (draw() < 0.3) continue;
      const pick = (list) => list[Math.floor(draw() * list.length)];
      if (s.kind === 'field') visit.said.field = pick(bundle.desk.fields).id;
      if (s.kind === 'filing') visit.said.filing = pick(bundle.filings);
      if (s.kind === 'helped') visit.said.helped = pick(bundle.helps);
      if (s.kind === 'profile') visit.profile[s.id] = pick(s.question.options).id;
      if (s.kind === 'comment') visit.said.comment = pick(comments);
    }
    // Who left before half of the questions have a level says nothing of themselves.
    const left = visit.far < visit.items.length - 1 && Object.values(visit.answers).filter((v) => v > 0).length < visit.items.length / 2;
    const code = seals.newReceipt(), receipt = seals.hex(await seals.sha256(seals.bytes(code)));
    const answer = { // by what the person did
      thanked: false, receipt, ...visit.said, profile: visit.profile, id: visit.id, round: round.id, desk: bundle.desk.id, reached: visit.items[visit.far].id, language: visit.language,
      ...left ? { comment: undefined, profile: {} } : {},
      instrument: round.instrument.split('@')[0], version: Number(round.instrument.split('@')[1]), answers: visit.answers,
    };
    let stored; // the digest of what is stored
    try {
      await store({ ...visit, bundle }, code, clock, { add: (sealed, digest, session) => queue.add(sealed, stored = digest, session) }, 1);
      answer.thanked = true;
      this.thanked++;
      this.answers.push(answer);
    } catch (e) {
      // Who is not thanked may have been stored.
      const { queue: waiting, kept } = this.disk.sets;
      if ([...waiting.values(), ...kept.values()].some((it) => it.digest === stored)) this.answers.push(answer);
      throw e;
    }
  }

  #choose(visit) {
    const x = this.draw();
    if (x < 0.07) return;
    visit.answers[visit.items[visit.far].id] = x < 0.12 ? 'na' : 1 + Math.floor(this.draw() * 5);
  }

  // talk keeps in contact until all is sent and a backup has it.
  async #talk() {
    for (;;) {
      const p = this.program;
      const failed = await this.#meet(p);
      if (this.#step === 'drain' && !failed && p === this.program && p.queue.unsent.size + p.queue.kept.size === 0) return;
      if (p.storage.dead && this.#step === 'drain' && p === this.program) await this.boot();
      await sleep(p.sync.pause(failed, this.draw) / hurry);
    }
  }

  // meet is one contact: it sends until nothing is left.
  async #meet(p) {
    let result = 'ok';
    try {
      let answer;
      do {
        answer = await p.sync.once();
        assert.equal(answer.revoked, false);
        if (!this.bundle) await this.#fetchBundle(answer.bundle);
      } while (answer.more);
    } catch (e) {
      if (e instanceof Failure) result = e.kind;
      else {
        this.#bear(e);
        result = 'storage';
      }
    }
    this.contacts[result] = (this.contacts[result] || 0) + 1;
    const kept = [['put', 'meta', 'clock', { offset: p.clock.offset, seen: p.clock.seen }]];
    await p.storage.commit(kept).catch((e) => this.#bear(e));
    return result !== 'ok';
  }

  async #fetchBundle(hash) {
    try {
      const response = await fetch(order.url + '/api/v1/kiosk/bundle', { headers: { Authorization: 'Bearer ' + this.proofs.bearer } });
      const body = new Uint8Array(await response.arrayBuffer());
      if (seals.hex(await seals.sha256(body)) === hash) this.bundle = JSON.parse(new TextDecoder().decode(body));
    } catch { /* tried again at the next contact */ }
  }

  // lose takes an answer from the disk, as a bad one may: the server sees the gap, and sees
  // it closed when the answer is found again.
  async lose() {
    this.steady = true;
    await this.boot();
    const before = this.thanked;
    while (this.thanked < before + 3) await this.#visit();
    const { queue } = this.disk.sets;
    assert.equal(queue.size, 3);
    const lost = [...queue.values()][1];
    queue.delete(lost.n);
    await this.boot();
    await this.#until((d) => d.queue === 0 && d.given === lost.n + 1, (d) => {
      assert.deepEqual(d.missing, [[lost.n, lost.n]]);
      assert.ok(d.states.includes('missing'), String(d.states));
    });
    queue.set(lost.n, lost);
    await this.boot();
    await this.#until((d) => d.missing.length === 0, (d) => assert.deepEqual([d.queue, d.unaccounted, d.clones], [0, 0, 0]));
  }

  // until keeps in contact until the server says something of the tablet that holds.
  async #until(holds, check) {
    for (let tries = 0; ; tries++) {
      await this.#meet(this.program);
      const response = await fetch(order.direct + '/api/v1/devices', { headers: { Authorization: 'Bearer ' + order.token } });
      const device = response.ok && (await response.json()).devices.find((d) => d.id === this.id); // its store may fail
      if (device && holds(device)) return check(device);
      assert.ok(tries < 200, JSON.stringify(device));
    }
  }
}

const tablets = order.tablets.map((t, i) => new Tablet(t, order.seed + i));
await Promise.all(tablets.map((t) => t.run()));
for (const t of tablets.slice(0, order.losing)) await t.lose();

const write = (line) => {
  for (let text = Buffer.from(JSON.stringify(line) + '\n'); text.length > 0;) {
    try {
      text = text.subarray(writeSync(1, text));
    } catch (e) {
      if (e.code !== 'EAGAIN') throw e;
    }
  }
};
for (const t of tablets) {
  const { highest } = t.program.queue.numbers();
  write({ tablet: { id: t.id, thanked: t.thanked, highest, stored: t.answers.length, crashes: t.crashes, contacts: t.contacts } });
  for (const answer of t.answers) write({ answer });
}
process.exit(0); // timeouts of contacts may still run
