// What stands on the screen: the invitation, a visit with its questions, thanks. And
// idleness: who leaves a visit open leaves nothing behind.

import { store } from './answer.js';
import { fullScreen } from './browser.js';
import { show } from './dom.js';
import * as screens from './screens.js';
import { newID, newReceipt } from './seal.js';
import { Sound } from './sound.js';
import { begin, expected } from './survey.js';

const idleFor = 60, warnFor = 20, thanksFor = 25; // seconds
const doubleTouch = 400; // ms

export class Visits {
  mode = 'notice'; // attract, visit, thanks; of staff: pin, staff, enrol, pairing
  lang = 'vi';
  visit = null;
  lost = -Infinity; // when an answer was last not stored, on the monotonic clock
  sound = new Sound();

  // onstaff is called when staff ask to be let in.
  constructor(tablet, onstaff) { Object.assign(this, { tablet, onstaff }); }

  // watch sees what people do and what time does.
  watch() {
    for (const event of ['pointerdown', 'keydown', 'input']) window.addEventListener(event, () => this.touched(), true);
    document.addEventListener('visibilitychange', () => this.#tick());
    // The second half of a double touch is no answer to the question that came meanwhile.
    window.addEventListener('click', (e) => {
      if (e.isTrusted && this.mode === 'visit' && performance.now() - this.shown < doubleTouch) e.stopPropagation();
    }, true);
    setInterval(() => this.#tick(), 1000);
  }

  // home is the screen between two people.
  home() {
    this.sound.hush();
    this.visit = null;
    this.warning = null;
    this.lang = 'vi';
    this.mode = 'attract';
    this.#draw();
    this.#takeUp();
  }

  // show puts a screen of staff there.
  show(mode, screen) {
    this.mode = mode;
    this.touched();
    show(screen);
  }

  // What the screen between two people depends on.
  #seen() {
    const { tablet } = this, kind = tablet.problem();
    return [kind, tablet.stored.message, kind ? '' : tablet.round().id].join('\n');
  }

  #draw() {
    const { lang, onstaff, tablet: { bundle, stored: { message } } } = this, kind = this.tablet.problem();
    this.drawn = this.#seen();
    document.documentElement.lang = lang;
    if (kind) {
      show(screens.problem({ bundle, kind, message, onstaff }));
      return;
    }
    const round = this.tablet.round(), { languages } = bundle.instruments[round.instrument];
    show(screens.attract({
      bundle, lang, languages, message, seconds: expected(bundle, round), onstart: () => this.begin(), onstaff,
      onlanguage: (l) => { this.lang = l; this.#draw(); },
    }));
  }

  // takeUp switches to a release that lies ready, between two people and never during an
  // answer.
  #takeUp() {
    if (!this.tablet.staged || this.mode !== 'attract' || this.switching || this.starting) return;
    this.switching = this.tablet.takeUp().then(() => {
      this.switching = null;
      if (this.mode === 'attract') this.#draw();
    });
  }

  // --- a visit

  // begin starts a visit; test: nothing is stored.
  async begin(test = false) {
    const { tablet } = this;
    if (this.starting || tablet.problem()) return;
    this.starting = true;
    try {
      await this.switching;
      if (tablet.problem()) return;
      const { bundle, clock } = tablet, id = newID(clock.time());
      const visit = { ...await begin(bundle, tablet.round(), id, this.lang, clock.now().mono), bundle, test };
      if (this.mode !== 'attract') return; // staff came meanwhile
      this.visit = visit;
    } finally {
      this.starting = false;
    }
    this.mode = 'visit';
    this.touched();
    fullScreen();
    this.#ask();
  }

  #ask() {
    const { visit, lang } = this, { bundle } = visit, s = visit.steps[visit.at];
    this.sound.hush();
    this.shown = performance.now();
    if (s.kind === 'item') visit.far = Math.max(visit.far, visit.items.indexOf(s));
    const address = s.kind === 'item' && bundle.sounds[`${visit.round.instrument}.${s.id}.${lang}`];
    const go = (at) => { visit.at = at; this.#ask(); };
    const stop = () => {
      // Who stops without an answer here has reached the question before.
      if (visit.answers[s.id] === undefined && visit.far === visit.items.indexOf(s)) visit.far--;
      visit.stopped = visit.at;
      go(visit.steps.length - 1);
    };
    // What was answered does not go at one touch: the last screen asks.
    const ask = s.kind !== 'send' && Object.values(visit.answers).some(Number.isInteger);
    show(screens.step({ bundle, visit, lang, on: {
      next: () => { delete visit.stopped; go(visit.at + 1); },
      back: () => go(s.kind === 'send' ? visit.stopped ?? visit.at - 1 : visit.at - 1),
      stop,
      leave: () => (ask ? stop() : this.#abandon()),
      send: () => this.#finish(),
      hear: address ? () => this.sound.play(() => this.tablet.release.sound(address)) : null,
      touched: () => this.touched(),
    } }));
  }

  // abandon ends a visit of which nothing is kept but that it was.
  async #abandon() {
    const { tablet, visit: { test } } = this;
    this.home();
    if (!test) await tablet.queue.abandon().catch((e) => tablet.fail(e));
  }

  // finish stores the answer. Thanks are shown once it is on the disk, and not before.
  async #finish() {
    const { visit, lang, tablet } = this;
    this.mode = 'thanks';
    const code = visit.test ? null : newReceipt();
    if (code) {
      show(screens.storing(visit.bundle, lang));
      try {
        await store(visit, code, tablet.clock, tablet.queue);
      } catch (e) {
        tablet.fail(e);
        this.lost = performance.now();
        return this.home();
      }
    }
    this.visit = null;
    this.until = performance.now() + thanksFor * 1000;
    show(screens.thanks({ bundle: visit.bundle, lang, code, seconds: thanksFor, ondone: () => this.home() }));
  }

  // --- idleness

  // A touch while the warning stands only takes that away, as it ends: before, it would
  // reach what lies below.
  touched() { if (!this.warning) this.last = performance.now(); }

  #stay() {
    this.warning.dialog.close(); // gives the focus back
    this.warning.dialog.remove();
    this.warning = null;
    this.touched();
  }

  #tick() {
    const { tablet } = this, now = performance.now(), wall = Date.now();
    tablet.clock.now(); // a jump is seen within a second
    // Who comes when a tablet wakes up is not who put it to sleep.
    if (wall - this.ticked > idleFor * 1000) {
      this.sound.hush();
      this.last = this.until = -Infinity;
    }
    this.ticked = wall;
    if (this.mode === 'thanks' && this.visit === null && now > this.until) this.home();
    if (this.mode === 'attract') {
      if (this.#seen() !== this.drawn) this.#draw();
      this.#takeUp();
      // Another language than Vietnamese is somebody's choice, and that person has gone.
      if (this.lang !== 'vi' && now - this.last > idleFor * 1000) this.home();
    }
    if (!['visit', 'pin', 'staff', 'enrol'].includes(this.mode) || !tablet.stored.device) return;
    const last = Math.max(this.last, Math.min(now, this.sound.until)); // who listens is there
    const left = Math.ceil(idleFor + warnFor - (now - last) / 1000);
    if (left <= 0) {
      if (this.mode === 'visit') this.#abandon();
      else this.home();
    } else if (left <= warnFor && this.mode === 'visit') {
      if (!this.warning) {
        this.warning = screens.idle({ lang: this.lang, onstay: () => this.#stay() });
        document.getElementById('app').append(this.warning.dialog);
        this.warning.count(left);
        this.warning.dialog.showModal();
      }
      this.warning.count(left);
    }
  }
}
