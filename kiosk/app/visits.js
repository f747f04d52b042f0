// What stands on the screen: the first question, a visit with the others, thanks. And
// idleness: who leaves a visit open leaves nothing behind.

import { store } from './answer.js';
import { fullScreen } from './browser.js';
import { Rest } from './clock.js';
import { show } from './dom.js';
import * as screens from './screens.js';
import { newID, newReceipt } from './seal.js';
import { Sound } from './sound.js';
import { begin, levels } from './survey.js';
import { running } from './tablet.js';

const idleFor = 60, warnFor = 20; // seconds
// Seconds in which somebody of seventy finds the telephone in the bag, opens its camera and
// takes a picture of the code; a touch begins them anew.
const thanksFor = 90;
const doubleTouch = 400; // ms
const longTouch = 2000; // ms from when a finger comes to when the browser tells of a touch, with room to spare
const hourly = 3600e3; // ms

export class Visits {
  mode = 'notice'; // attract, visit, thanks; of staff: pin, staff, enrol, pairing
  lang = 'vi';
  large = false; // large text and strong contrast
  next = null; // the visit that a touch begins
  visit = null;
  goes = false; // the page goes, for the next program
  done = null; // what was thanked for: { bundle, instrument, code }
  last = -Infinity; // when somebody was last there, on the monotonic clock
  pressed = -Infinity; // when a finger last came, likewise
  lost = -Infinity; // when an answer was last not stored, likewise

  // onstaff is called when staff ask to be let in.
  constructor(tablet, onstaff) {
    Object.assign(this, { tablet, onstaff });
    this.sound = new Sound(tablet.stored.volume);
    tablet.changed = () => this.#refresh();
  }

  // watch sees what people do and what time does.
  watch() {
    this.rest = new Rest(this.tablet.clock.read);
    for (const event of ['pointerdown', 'keydown', 'input']) window.addEventListener(event, () => this.touched(), true);
    window.addEventListener('pointerdown', () => { this.pressed = performance.now(); }, true);
    document.addEventListener('visibilitychange', () => this.#tick());
    // The second half of a double touch is no answer to the question that came meanwhile, and
    // no touch is meant for a screen that has just come by itself.
    window.addEventListener('click', (e) => {
      if (e.isTrusted && ['attract', 'visit', 'thanks'].includes(this.mode) && performance.now() - this.shown < doubleTouch) e.stopPropagation();
    }, true);
    setInterval(() => this.#tick(), 1000);
  }

  // home is the screen between two people.
  home() {
    this.sound.hush();
    Object.assign(this, { visit: null, done: null, warning: null, lang: 'vi', large: false, mode: 'attract' });
    this.#prepare();
  }

  // show puts a screen of staff there.
  show(mode, screen) {
    Object.assign(this, { mode, lang: 'vi', large: false, next: null });
    this.touched();
    this.#put(screen);
  }

  // What the screen between two people depends on. The id of the next visit must not tell
  // since when nobody came: it is made anew each hour.
  #seen() {
    const { tablet } = this, kind = tablet.problem();
    return [kind, tablet.stored.message, ...kind ? [] : [tablet.round().id, Math.floor(tablet.clock.time() / hourly)]].join('\n');
  }

  // prepare makes the visit that a touch begins, and shows its first question: what is seen
  // takes answers.
  async #prepare() {
    if (this.#takeUp()) return;
    const { tablet } = this, { bundle } = tablet, ticket = this.ticket = {};
    this.drawn = this.#seen();
    this.next = null;
    const next = tablet.problem() ? null : { ...await begin(bundle, tablet.round(), newID(tablet.clock.time()), 'vi', 0), bundle };
    if (this.ticket !== ticket || this.mode !== 'attract') return; // staff came meanwhile
    this.next = next;
    this.#draw();
  }

  // refresh shows what has changed, between two people, and never under a finger: a touch on
  // what goes meanwhile would be lost.
  #refresh() {
    if (this.mode !== 'attract' || this.next && performance.now() - this.pressed < longTouch) return;
    if (this.#seen() !== this.drawn) this.#prepare();
    else this.#takeUp();
  }

  // takeUp switches to a release that lies ready, between two people and never during an
  // answer, and returns whether it does. A visit may begin meanwhile, unless the page goes.
  #takeUp() {
    const { staged } = this.tablet;
    if (this.switching || !staged || this.mode !== 'attract') return Boolean(this.switching);
    this.goes = staged.app !== running;
    if (this.goes) {
      this.next = null;
      this.#put(screens.problem({ bundle: this.tablet.bundle, kind: 'preparing' }));
    }
    this.switching = this.tablet.takeUp().then(() => {
      this.switching = null;
      this.goes = false;
      this.drawn = null;
      if (this.next) this.#refresh();
      else if (this.mode === 'attract') this.#prepare();
    });
    return true;
  }

  #put(screen) {
    const { classList } = document.documentElement;
    document.documentElement.lang = this.lang;
    classList.toggle('large', this.large);
    this.shown = performance.now();
    show(screen);
  }

  // tools are what can be changed on every screen, and nothing is lost by it.
  #tools({ bundle, instrument }) {
    return {
      languages: instrument.languages, large: this.large,
      onlanguage: (lang) => { this.lang = lang; this.#draw(); },
      onlarge: () => { this.large = !this.large; this.#draw(); },
      onabout: bundle.notice ? () => screens.about({ bundle, lang: this.lang }) : null,
    };
  }

  // draw shows the screen of citizens anew.
  #draw() {
    this.sound.hush();
    if (this.mode === 'attract') this.#first();
    else if (this.mode === 'visit') this.#ask();
    else this.#thank();
  }

  #first() {
    const { lang, next, onstaff, tablet: { bundle, stored: { message } } } = this;
    if (!next) {
      this.#put(screens.problem({ bundle, kind: this.tablet.problem(), message, onstaff }));
      return;
    }
    const begun = (then) => (value) => { if (this.#begin()) then(value); };
    this.#put(screens.step({ bundle: next.bundle, visit: next, lang, tools: this.#tools(next), first: { message, onstaff }, on: {
      pick: begun((value) => this.#pick(value)), next: begun(() => this.#go(1)), hear: this.#hear(next),
    } }));
  }

  // begin makes the visit that waits the one of who has touched its first question.
  #begin() {
    const { tablet, next } = this;
    if (!next || this.goes || tablet.problem() || tablet.round().id !== next.round.id) {
      this.home();
      return false;
    }
    this.next = null;
    this.visit = { ...next, mono: tablet.clock.now().mono };
    this.mode = 'visit';
    this.touched();
    fullScreen();
    return true;
  }

  // test is a visit of which nothing is stored.
  async test() {
    this.home();
    await this.switching;
    await this.#prepare();
    if (this.mode !== 'attract' || !this.#begin()) return;
    this.visit.test = true;
    this.#draw();
  }

  // --- a visit

  #ask() {
    const { visit, lang } = this, { bundle } = visit, s = visit.steps[visit.at];
    const send = visit.steps.findIndex((x) => x.kind === 'send');
    if (s.kind === 'item') visit.far = Math.max(visit.far, visit.items.indexOf(s));
    const stop = () => {
      if (levels(visit) === 0) return this.#abandon(); // there is nothing to ask about
      // Who stops without an answer here has reached the question before.
      if (visit.answers[s.id] === undefined && visit.far === visit.items.indexOf(s)) visit.far--;
      visit.stopped = visit.at;
      this.#go(send);
    };
    this.#put(screens.step({ bundle, visit, lang, tools: this.#tools(visit), on: {
      pick: (value) => this.#pick(value),
      choose: (field) => { visit.said.field = field; this.#go(visit.at + 1); },
      others: (from) => { visit.fieldsFrom = from; this.#draw(); },
      next: () => { delete visit.stopped; this.#go(visit.at + 1); },
      back: () => {
        if (s.kind === 'field' && visit.fieldsFrom) {
          delete visit.fieldsFrom;
          return this.#draw();
        }
        this.#go(s.kind === 'send' ? visit.stopped ?? visit.at - 1 : visit.at - 1);
      },
      stop,
      leave: () => this.#abandon(),
      send: () => this.#finish(),
      more: () => this.#go(send + 1),
      hear: this.#hear(visit),
      touched: () => this.touched(),
    } }));
  }

  #go(at) {
    this.visit.at = at;
    this.#draw();
  }

  #pick(value) {
    const { visit } = this;
    delete visit.stopped;
    visit.answers[visit.steps[visit.at].id] = value;
    this.#go(visit.at + 1);
  }

  // hear plays the recording of the question, null where there is none.
  #hear({ bundle, round, steps, at }) {
    const address = bundle.sounds[`${round.instrument}.${steps[at].id}.${this.lang}`];
    return address ? () => this.sound.play(() => this.tablet.release.sound(address)) : null;
  }

  // abandon ends a visit of which nothing is kept but that it was.
  async #abandon() {
    const { tablet, visit: { test } } = this;
    this.home();
    if (!test) await tablet.queue.abandon().catch((e) => tablet.fail(e));
  }

  // finish stores the answer. Thanks are shown once it is on the disk, and not before.
  async #finish() {
    const { lang, tablet } = this, visit = { ...this.visit, language: this.lang };
    this.mode = 'thanks';
    const code = visit.test ? null : newReceipt();
    if (code) {
      this.#put(screens.storing(visit.bundle, lang));
      try {
        await store(visit, code, tablet.clock, tablet.queue);
      } catch (e) {
        tablet.fail(e);
        this.lost = performance.now();
        return this.home();
      }
    }
    this.visit = null;
    this.done = { bundle: visit.bundle, instrument: visit.instrument, code };
    this.touched();
    this.#draw();
  }

  #thank() {
    const { bundle, code } = this.done;
    const { screen, count } = screens.thanks({ bundle, lang: this.lang, tools: this.#tools(this.done), code, ondone: () => this.home() });
    this.count = count;
    this.#put(screen);
    this.#tick();
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
    const { tablet } = this, now = performance.now();
    tablet.clock.now(); // a jump is seen within a second
    // Who comes when a tablet wakes up is not who put it to sleep.
    if (this.rest.past() > idleFor * 1000) {
      this.sound.hush();
      this.last = -Infinity;
    }
    const last = Math.max(this.last, Math.min(now, this.sound.until)); // who listens is there
    const quiet = (now - last) / 1000;
    if (this.mode === 'thanks' && this.done) {
      if (quiet > thanksFor) this.home();
      else this.count(Math.ceil(thanksFor - quiet));
    }
    if (this.mode === 'attract') {
      this.#refresh();
      // What somebody has changed or opened, who has gone.
      if (quiet > idleFor && (this.lang !== 'vi' || this.large || document.querySelector('dialog'))) this.home();
    }
    if (!['visit', 'pin', 'staff', 'enrol'].includes(this.mode) || !tablet.stored.device) return;
    const left = Math.ceil(idleFor + warnFor - quiet);
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
