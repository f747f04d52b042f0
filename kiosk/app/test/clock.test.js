import assert from 'node:assert/strict';
import test from 'node:test';
import { Clock, dayOf, lastLikely, Rest } from '../clock.js';

const hour = 3600e3, day = 24 * hour;
const now = Date.UTC(2026, 10, 24, 3, 20); // 10:20 in Vietnam

// Tablet has two clocks that a test moves: mono runs, wall is wrong by ahead.
class Tablet {
  constructor(ahead = 0) {
    Object.assign(this, { true: now, started: now - 5000, ahead });
  }
  read() { return { mono: this.true - this.started, wall: this.true + this.ahead }; }
  start(last = null, kept = undefined) { return (this.clock = new Clock(() => this.read(), last, kept)); }
  pass(ms) { this.true += ms; }
  set(right) { this.ahead = right; }
  contact() { this.clock.learn(this.clock.now().session, this.read().mono, this.true); }
  // restart is the next day, with a monotonic clock that begins anew.
  restart(ms = 20 * hour) {
    const { offset, seen } = this.clock, last = structuredClone(this.clock.record());
    this.pass(ms);
    this.started = this.true;
    return this.start(last, { offset, seen });
  }
  off() { return this.clock.time() - this.true; }
}

test('a session goes on while both clocks go together', () => {
  const t = new Tablet(), c = t.start();
  assert.deepEqual(c.record(), { n: 1, from: 5000, to: 5000, wall: now });
  for (let i = 0; i < 1000; i++) {
    t.pass(60e3);
    t.ahead += 1; // a clock that drifts
    assert.equal(c.now().session, 1);
  }
  assert.deepEqual(c.record(), { n: 1, from: 5000, to: 5000 + 1000 * 60e3, wall: now });
  assert.deepEqual(c.now(), { session: 1, mono: 5000 + 1000 * 60e3, wall: now + 1000 * 60e3 + 1000 });
});

test('a start, a sleep and a clock that is set begin a session', () => {
  const t = new Tablet(), c = t.start();
  for (const [name, jump] of [['set forth', 3000], ['set back', -3000], ['from 1970', -now], ['set right', now]]) {
    const before = c.now().session;
    t.ahead += jump;
    assert.equal(c.now().session, before + 1, name);
    assert.equal(c.now().session, before + 1, name);
    assert.deepEqual([c.record().wall, c.record().from, c.record().anchor], [t.read().wall, t.read().mono, undefined], name);
  }
  // The monotonic clock of some browsers stands while the tablet sleeps.
  t.pass(8 * hour);
  t.started += 8 * hour;
  assert.equal(c.now().session, 6);
  t.ahead += 1900;
  assert.equal(c.now().session, 6, 'what clocks may part');
  assert.equal(t.restart().now().session, 7);
  assert.equal(new Clock(() => t.read(), null).now().session, 1);
});

test('a contact ties a session to the true time', () => {
  const t = new Tablet(-100 * day), c = t.start();
  assert.equal(t.off(), -100 * day);
  t.contact();
  assert.deepEqual(c.record().anchor, { mono: 5000, time: now });
  assert.equal(t.off(), 0);
  assert.deepEqual([c.offset, c.seen], [100 * day, now]);
  t.pass(5 * hour);
  assert.equal(t.off(), 0);
  t.contact();
  assert.deepEqual(c.record().anchor, { mono: 5000 + 5 * hour, time: now + 5 * hour }, 'the newest holds');
  const { session } = c.now();
  t.ahead = 0;
  c.learn(session, t.read().mono, t.true + 7 * day);
  assert.equal(c.record().anchor, undefined, 'one that ran across a jump proves nothing');
  // The middle of a contact of 400 ms.
  t.pass(400);
  c.learn(c.now().session, t.read().mono - 200, t.true);
  assert.deepEqual([c.offset, t.off()], [200, 200]);
});

test('without contact the offset of before goes on', () => {
  for (const ahead of [-3 * hour, -2 * day, 0, 2 * day, 40 * day]) {
    const t = new Tablet(ahead);
    t.start();
    t.contact();
    for (let days = 0; days < 5; days++) {
      t.restart();
      assert.equal(t.off(), 0, `${ahead / hour} h ahead, day ${days}`);
    }
  }
});

test('who sets the clock has made the old offset wrong', () => {
  // A clock that was ahead.
  let t = new Tablet(400 * day);
  t.start();
  t.contact();
  t.restart();
  t.set(0);
  assert.equal(t.off(), 0);
  assert.equal(t.restart() && t.off(), 0);
  // One that starts from 1970, as one without a battery does: the tablet asks to set it.
  t = new Tablet(-now);
  t.start();
  t.contact();
  t.restart();
  t.ahead = -t.true;
  assert.ok(t.restart(hour).wrong('2026-11-24'));
  t.pass(10 * 60e3);
  t.set(-3 * 60e3); // set by hand
  assert.ok(!t.clock.wrong('2026-11-24'));
  assert.equal(t.off(), -3 * 60e3);
  t.pass(hour);
  assert.equal(t.off(), -3 * 60e3);
  t.restart();
  assert.equal(t.off(), -3 * 60e3);
  // One that was behind by three days, set while the program did not run.
  t = new Tablet(-3 * day);
  t.start();
  t.contact();
  t.set(0);
  t.restart();
  assert.equal(t.off(), 0);
  // A contact says better.
  t.contact();
  assert.deepEqual([t.off(), t.clock.offset], [0, 0]);
});

test('a clock is wrong that is before a day when the service already was', () => {
  const t = new Tablet(), c = t.start();
  const start = Date.UTC(2026, 10, 23, 17); // of 24 November in Vietnam
  for (const [wall, wrong] of [[start - 1, true], [start, false], [0, true], [start + 900 * day, false]]) {
    t.ahead = wall - t.true;
    assert.equal(c.wrong('2026-11-24'), wrong, String(wall));
  }
  t.ahead = -t.true;
  assert.ok(c.wrong('2026-11-24'));
  t.contact();
  assert.ok(!c.wrong('2026-11-24'), 'the server has said what time it is');
  t.restart();
  t.ahead = -t.true;
  assert.ok(c.wrong('2026-11-24') || t.clock.wrong('2026-11-24'));
});

test('a day begins at midnight in Vietnam', () => {
  assert.equal(dayOf(Date.UTC(2026, 10, 23, 16, 59, 59, 999)), '2026-11-23');
  assert.equal(dayOf(Date.UTC(2026, 10, 23, 17)), '2026-11-24');
  assert.equal(dayOf(Date.UTC(2026, 11, 31, 17)), '2027-01-01');
  assert.equal(dayOf(Date.UTC(2028, 1, 28, 17)), '2028-02-29');
});

test('a clock that is set while the program runs does not change what time it is', () => {
  for (const [contact, name] of [[true, 'in a session with contact'], [false, 'after a start without network']]) {
    for (const jump of [2 * 60e3, -2 * 60e3, 3 * hour, -3 * hour, 3 * day, -3 * day, 3652 * day]) {
      const t = new Tablet(5000);
      t.start();
      t.contact();
      if (!contact) t.restart(hour);
      t.pass(60e3);
      t.clock.now();
      t.ahead += jump;
      assert.equal(t.off(), 0, `${name}: ${jump}`);
      t.pass(hour);
      assert.equal(t.off(), 0, `${name}: ${jump}, an hour later`);
      assert.deepEqual([t.clock.record().anchor, t.clock.record().n], [undefined, contact ? 2 : 3], 'only the service says so');
      const wrong = Math.abs(jump) > day;
      assert.deepEqual([t.clock.wrong('2026-11-24'), t.clock.doubtful()], [wrong, false], `${name}: ${jump}`);
      t.ahead -= jump;
      assert.deepEqual([t.off(), t.clock.wrong('2026-11-24')], [0, false], 'set right again');
      t.ahead += jump;
      t.contact();
      assert.deepEqual([t.off(), t.clock.wrong('2026-11-24')], [0, false], 'a contact');
    }
  }
});

test('while the page was hidden the monotonic clock may have stood', () => {
  const t = new Tablet();
  let rests = 0;
  const read = t.read.bind(t);
  t.read = () => ({ ...read(), rests });
  t.start();
  t.contact();
  t.pass(9 * hour);
  t.started += 9 * hour;
  rests++;
  assert.deepEqual([t.off(), t.clock.wrong('2026-11-24'), t.clock.doubtful()], [0, false, false]);
  rests = NaN; // hidden now
  t.pass(9 * hour);
  t.started += 9 * hour;
  assert.equal(t.off(), 0);
  // Off for longer than anybody is, or set ahead.
  for (const [off, doubt] of [[7 * day, false], [7 * day + 1, true]]) {
    t.contact();
    t.pass(off);
    t.started += off;
    assert.deepEqual([t.clock.doubtful(), t.clock.wrong('2026-11-24')], [doubt, false], String(off));
  }
});

test('a clock that was set ahead while the tablet was off is doubted, over starts too', () => {
  for (const ahead of [8 * day, 3652 * day]) {
    const t = new Tablet(3 * hour);
    t.start();
    t.contact();
    const sessions = [];
    const start = () => {
      sessions.push(structuredClone(t.clock.record()));
      const { offset, seen } = t.clock;
      t.restart(hour);
      t.start(sessions.at(-1), { offset, seen, end: lastLikely(sessions, { offset, seen }) });
      return t.clock.doubtful();
    };
    assert.equal(start(), false, 'as it was');
    t.ahead += ahead;
    assert.deepEqual([start(), start(), start()], [true, true, true]);
    t.pass(5 * day);
    t.ahead -= ahead + 5 * day;
    assert.equal(start(), false, 'set right again');
    t.ahead += ahead;
    start();
    t.contact();
    assert.deepEqual([t.clock.doubtful(), start()], [false, false], 'after a contact');
  }
});

test('sleep is told from a clock that is set', () => {
  const now = { mono: 0, wall: 0, rests: 0 }, rest = new Rest(() => ({ ...now }));
  const after = (mono, wall, rests) => {
    now.mono += mono;
    now.wall += wall;
    now.rests = rests;
    return rest.past();
  };
  assert.equal(after(1000, 1000, 0), 0);
  for (const set of [2 * 60e3, -2 * 60e3, 3 * hour, -3 * hour]) assert.equal(after(1000, 1000 + set, 0), 0, `set by ${set}`);
  assert.equal(after(61e3, 1000, 1), 61e3, 'hidden or frozen');
  assert.equal(after(1000, 3 * hour, 2), 3 * hour, 'hidden, and the monotonic clock stood');
  assert.equal(after(1000, 1000, NaN), 1000, 'hidden for a moment');
  assert.equal(after(1000, 3 * hour, NaN), 3 * hour, 'asleep while it was hidden');
  assert.equal(after(1000, 3 * hour, 3), 3 * hour);
});
