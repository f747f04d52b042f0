// What a tablet is: its storage, its clock, the survey it asks, and whether it can take
// answers now. Visits, contact and staff work on it; it knows none of them.

import { ask, watchRests } from './browser.js';
import { Clock, dayOf, lastLikely } from './clock.js';
import { Queue } from './queue.js';
import { hex, random } from './seal.js';
import { enough, isFull, openStorage, Replaced } from './storage.js';
import { roundOf } from './survey.js';
import { Release } from './update.js';

export const running = new URL(import.meta.url).pathname.split('/').at(-2); // the version of this program

const reloadAgain = 10e3; // ms
const probeEvery = 3600e3; // ms

export const newEpoch = () => hex(random(16));

export class Tablet {
  broken = ''; // why the storage takes nothing: full or stopped
  worker = false; // a service worker is there, without which nothing starts offline
  staged = null; // a release that lies ready
  changed = () => {}; // is called when what is shown between two people may be another
  status = { battery: null, charging: false, persisted: false, used: 0, quota: 0, room: null };
  probed = -Infinity; // when the storage was, on the monotonic clock

  // parts are storage, queue, clock, release, bundle (null before there is one) and stored:
  // what the storage keeps beside answers.
  constructor(parts) {
    Object.assign(this, parts);
    this.stored = { device: null, pin: null, tries: 0, volume: 1, contact: {}, revoked: false, message: '', ...parts.stored };
  }

  static async open() {
    const storage = await openStorage(), queue = await Queue.open(storage, newEpoch);
    const { meta, sessions } = await storage.load();
    const rests = watchRests(), readClocks = () => ({ mono: Math.round(performance.now()), wall: Date.now(), rests: rests() });
    const clock = new Clock(readClocks, sessions[sessions.length - 1] || null, { ...meta.clock, end: lastLikely(sessions, meta.clock) });
    const release = await Release.open(ask), bundle = await release.bundle();
    const tablet = new Tablet({ storage, queue, clock, release, bundle, stored: meta });
    await tablet.look();
    // From storage that is full staff can still export.
    await queue.note(clock.record()).catch((e) => {
      // The start before has the same newest session: by the minute batches go on upwards.
      queue.batches = Math.floor(clock.time() / 60e3) % 9e5;
      tablet.fail(e);
    });
    return tablet;
  }

  // problem says why nobody can answer now, '' when one can.
  problem() {
    const { bundle, clock, stored } = this;
    if (stored.revoked) return 'revoked';
    if (this.broken) return this.broken;
    if (!bundle || bundle.device.id !== stored.device.id || !this.worker) return 'preparing';
    // Before a contact has said the time, nothing says when an answer was given.
    if (clock.seen === 0) return 'preparing';
    if (clock.wrong(bundle.day)) return 'clock';
    if (this.round()) return '';
    return clock.doubtful() ? 'clock' : 'closed';
  }

  // round is the one that takes answers now.
  round() { return roundOf(this.bundle, dayOf(this.clock.time())); }

  // keep stores values beside the answers.
  async keep(values) {
    Object.assign(this.stored, values);
    this.changed();
    await this.storage.commit(puts(values));
  }

  // become takes up what a pairing said, all of it or nothing. As another device it numbers
  // its answers anew. An answer of the server that comes meanwhile is not for this device.
  async become(values, other) {
    const before = Object.fromEntries(Object.keys(values).map((key) => [key, this.stored[key]]));
    Object.assign(this.stored, values);
    try {
      await (other ? this.queue.renew(newEpoch(), puts(values)) : this.storage.commit(puts(values)));
    } catch (e) {
      Object.assign(this.stored, before);
      throw e;
    }
  }

  // fail stops the tablet when its storage does. One that is full may fail in other ways, too.
  fail(e) {
    console.error('storage', e?.name, e?.message);
    this.broken = isFull(e) || this.broken === 'full' ? 'full' : 'stopped';
    this.replaced = e instanceof Replaced;
    this.changed();
  }

  // look sees how the tablet does, and whether its storage takes anything: at a start, each
  // hour, and while it does not. What the browser says of the room on a disk is not so.
  async look() {
    const { status } = this, now = performance.now();
    try {
      if (this.broken || now - this.probed > probeEvery) {
        status.room = await this.storage.room();
        this.probed = now;
        if (this.broken === 'full' && status.room < enough) return;
        // What was written as the disk failed may be there or not.
        if (this.broken) await this.queue.reload();
        this.broken = '';
      }
    } catch (e) {
      status.room = 0;
      this.fail(e);
    }
    try {
      const { usage = 0, quota = 0 } = await navigator.storage.estimate();
      status.used = usage;
      status.quota = quota;
      status.persisted = await navigator.storage.persisted();
      // Browsers promise it to programs that are installed or used a lot, so each start asks
      // again. One may ask a person, which nothing here waits for.
      if (!status.persisted && this.stored.device && !this.asked) {
        this.asked = true;
        navigator.storage.persist().then((yes) => { status.persisted = yes; }, () => { /* it is not promised */ });
      }
    } catch { /* it is not told */ }
    try {
      const battery = await navigator.getBattery?.();
      if (battery) Object.assign(status, { battery: battery.level, charging: battery.charging });
    } catch { /* it is not told */ }
  }

  // tell is what a batch says of the tablet.
  tell() {
    return { app: running, bundle: this.release.now?.bundle || '', status: { ...this.status, abandoned: this.queue.abandoned, problem: this.problem() } };
  }

  // takeUp makes the release that lies ready the one that runs, and never ends where the
  // program is another.
  async takeUp() {
    const { staged } = this;
    this.staged = null;
    try {
      await this.release.switch(staged);
      // Nothing starts any more. A browser may lose a reload during which its service worker
      // is replaced, so it is asked again.
      while (this.release.now.app !== running) {
        location.reload();
        await new Promise((resolve) => { setTimeout(resolve, reloadAgain); });
      }
      this.bundle = await this.release.bundle();
      await this.release.prove();
    } catch (e) {
      console.warn('the new release is not taken up:', e?.message); // the old one goes on; tried again at the next contact
    }
  }
}

const puts = (values) => Object.entries(values).map(([key, value]) => ['put', 'meta', key, value]);
