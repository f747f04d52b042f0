// When the server is asked, and what becomes of its answers. Nobody is shown anything here:
// what changes is in the tablet.

import { signer } from './seal.js';
import { Sync } from './sync.js';

export class Contact {
  constructor(tablet, fetch) { Object.assign(this, { tablet, fetch }); }

  // talk keeps in contact for as long as the program runs.
  async talk() {
    if (this.talking) return;
    this.talking = true;
    for (;;) {
      const woken = new Promise((resolve) => { this.resolve = resolve; });
      const failed = await this.meet();
      const pause = this.#news() ? (1 + Math.random()) * 10e3 : this.sync ? this.sync.pause(failed) : 60e3;
      await Promise.race([woken, new Promise((resolve) => { setTimeout(resolve, pause); })]);
    }
  }

  // wake ends the pause; during a contact it asks for another after it.
  wake() { this.resolve?.(); }

  // meet sends until nothing is left, and returns whether it failed. Two never run at once.
  meet() {
    this.meeting ||= this.#meet().finally(() => { this.meeting = null; });
    return this.meeting;
  }

  async #meet() {
    const { tablet } = this, { clock } = tablet;
    let result = 'ok', heard = null;
    try {
      do {
        await this.#prepare();
        const answer = await this.sync.once();
        if (!this.#current()) return false; // paired anew meanwhile
        await this.#hear(answer);
        heard = answer;
      } while (heard.more);
      if (heard.revoked) result = 'revoked';
      else if (clock.seen === 0) result = 'set';
    } catch (e) {
      result = e.kind || 'storage';
      if (!e.kind) tablet.fail(e);
    }
    const reached = result === 'ok' || result === 'revoked';
    const contact = { at: reached ? clock.time() : tablet.stored.contact.at, result };
    await tablet.keep({ contact, clock: { offset: clock.offset, seen: clock.seen } }).catch((e) => tablet.fail(e));
    // Where no contact says it, sessions say until when the clock went as it should.
    if (!reached) await tablet.queue.note(clock.record()).catch((e) => tablet.fail(e));
    // Answers go before a release, which may take long.
    if (heard && !heard.revoked) await this.#stage(heard);
    return !reached;
  }

  // news: a release came with this contact. The server hears soon that it is here; once,
  // however long the one who answers just now keeps it waiting.
  #news() {
    const { staged } = this.tablet, name = staged && staged.app + staged.bundle;
    const news = Boolean(name) && name !== this.told;
    this.told = name || this.told;
    return news;
  }

  // The proofs are those of the key that the tablet has now.
  async #prepare() {
    const { queue, clock, stored: { device: { key } } } = this.tablet;
    if (key === this.key) return;
    const proofs = await signer(key);
    this.key = key;
    this.sync = new Sync({ queue, clock, proofs, tell: () => this.tablet.tell(), fetch: this.fetch });
  }

  #current() { return this.key === this.tablet.stored.device.key; }

  async #hear({ name, desk, revoked, message }) {
    const { tablet } = this;
    await tablet.keep({ device: { ...tablet.stored.device, name, desk }, revoked, message });
  }

  async #stage({ app, bundle }) {
    const { tablet } = this;
    if (!bundle) return;
    try {
      const staged = await tablet.release.stage(app, bundle, { Authorization: 'Bearer ' + this.sync.proofs.bearer });
      if (!this.#current()) return;
      tablet.staged = staged;
      tablet.changed();
    } catch (e) {
      console.warn('the new release is not here yet:', e?.message); // tried again at the next contact
    }
  }
}
