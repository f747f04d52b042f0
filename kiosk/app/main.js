// The tablet: what is on the screen, what is stored, and when the server is asked. It
// starts at the end of this file.

import { Clock, dayOf } from './clock.js';
import { show } from './dom.js';
import { Queue } from './queue.js';
import * as screens from './screens.js';
import * as seals from './seal.js';
import * as staff from './staff.js';
import { openStorage } from './storage.js';
import { begin, expected, roundOf, submission } from './survey.js';
import { Sync } from './sync.js';
import { say } from './texts.js';
import { Release } from './update.js';

const idleFor = 60, warnFor = 20, thanksFor = 25; // seconds
const spare = 10 << 20; // bytes of storage that must be free
const exportMost = 20_000, exportBytes = 20 << 20; // answers in a file
const running = new URL(import.meta.url).pathname.split('/')[2];

class Tablet {
  mode = 'notice'; // attract, visit, thanks, pin, staff, enrol
  lang = 'vi';
  visit = null;
  broken = ''; // why the storage takes nothing: full or stopped
  revoked = false;
  message = '';
  staged = null;
  worker = false; // a service worker is there, without which nothing starts offline
  status = { battery: null, charging: false, persisted: false, used: 0, quota: 0 };

  async start() {
    this.storage = await openStorage();
    this.queue = await Queue.open(this.storage, newEpoch);
    const { meta, sessions } = await this.storage.load();
    this.device = meta.device || null;
    this.pin = meta.pin || null;
    this.contact = meta.contact || {};
    this.exported = meta.exported || 0;
    this.revoked = Boolean(meta.revoked);
    this.message = meta.message || '';
    this.clock = new Clock(readClocks, sessions[sessions.length - 1] || null, meta.clock);
    await this.queue.note(this.clock.record());
    this.release = await Release.open(fetch.bind(window));
    this.bundle = await this.release.bundle();
    await this.#look();
    for (const event of ['pointerdown', 'keydown', 'input']) window.addEventListener(event, () => this.touched(), true);
    document.addEventListener('visibilitychange', () => { this.#tick(); this.#stayAwake(); });
    window.addEventListener('online', () => this.#soon());
    // The second half of a double touch is no answer to the question that came meanwhile.
    window.addEventListener('click', (e) => {
      if (e.isTrusted && this.mode === 'visit' && performance.now() - this.shown < 400) e.stopPropagation();
    }, true);
    window.addEventListener('contextmenu', (e) => e.preventDefault());
    this.#stayAwake();
    navigator.serviceWorker.ready.then(() => { this.worker = true; });
    if (this.device) {
      await this.#pair();
      this.home();
      if (this.release.now?.app === running) await this.release.prove();
      // A reload follows a visit at times: its moment must not show on the network.
      setTimeout(() => this.#talk(), this.bundle ? 60e3 * Math.random() : 0);
    } else {
      this.enrol();
    }
    setInterval(() => this.#tick(), 1000);
    setInterval(() => this.#look(), 60e3);
  }

  // --- what stands on the screen

  // problem says why nobody can answer now, '' when one can.
  problem() {
    if (this.revoked) return 'revoked';
    if (this.broken) return this.broken;
    if (!this.bundle || this.bundle.device.id !== this.device.id || !this.worker) return 'preparing';
    // Before a contact has said the time, nothing says when an answer was given.
    if (this.clock.seen === 0) return 'preparing';
    if (this.clock.wrong(this.bundle.day)) return 'clock';
    return this.#round() ? '' : 'closed';
  }

  #round() { return roundOf(this.bundle, dayOf(this.clock.time())); }

  // home is the screen between two people.
  home() {
    this.hush();
    this.visit = null;
    this.lang = 'vi';
    this.mode = 'attract';
    this.#dismiss();
    this.#draw();
    this.#switch();
  }

  #draw() {
    const kind = this.problem();
    const { bundle, lang, message } = this;
    this.drawn = kind;
    document.documentElement.lang = lang;
    if (kind) {
      show(screens.problem({ bundle, kind, message, onstaff: () => this.askPIN() }));
      return;
    }
    const round = this.#round(), { languages } = bundle.instruments[round.instrument];
    show(screens.attract({
      bundle, lang, languages, message, seconds: expected(bundle, round), onstart: () => this.begin(), onstaff: () => this.askPIN(),
      onlanguage: (l) => { this.lang = l; this.#draw(); },
    }));
  }

  // begin starts a visit; test: nothing is stored.
  async begin(test = false) {
    if (this.starting || this.problem()) return;
    this.starting = true;
    try {
      await this.switching;
      if (this.problem()) return;
      const { bundle } = this, id = seals.newID(this.clock.time());
      this.visit = { ...await begin(bundle, this.#round(), id, this.lang, this.clock.now().mono), bundle, test };
    } finally {
      this.starting = false;
    }
    this.mode = 'visit';
    this.touched();
    this.#full();
    this.#ask();
  }

  #ask() {
    const { visit, lang } = this, s = visit.steps[visit.at];
    this.hush();
    this.shown = performance.now();
    if (s.kind === 'item') visit.far = Math.max(visit.far, visit.items.indexOf(s));
    const address = s.kind === 'item' && visit.bundle.sounds[`${visit.round.instrument}.${s.id}.${lang}`];
    const go = (at) => { visit.at = at; this.#ask(); };
    show(screens.step({ bundle: visit.bundle, visit, lang, on: {
      next: () => { delete visit.stopped; go(visit.at + 1); },
      back: () => go(s.kind === 'send' ? visit.stopped ?? visit.at - 1 : visit.at - 1),
      stop: () => {
        // Who stops without an answer here has reached the question before.
        if (visit.answers[s.id] === undefined && visit.far === visit.items.indexOf(s)) visit.far--;
        visit.stopped = visit.at;
        go(visit.steps.length - 1);
      },
      leave: () => this.abandon(),
      send: () => this.finish(),
      hear: address ? () => this.hear(address) : null,
      touched: () => this.touched(),
    } }));
  }

  // abandon ends a visit of which nothing is kept but that it was.
  async abandon() {
    const { test } = this.visit;
    this.home();
    if (!test) await this.queue.abandon().catch((e) => this.#fail(e));
  }

  // finish stores the answer. Thanks are shown once it is on the disk, and not before.
  async finish() {
    const { visit, lang } = this, { bundle } = visit;
    this.mode = 'thanks';
    if (visit.test) return this.#thank(bundle, null);
    show(screens.storing(bundle, lang));
    const code = seals.newReceipt();
    const at = this.clock.now(), session = this.clock.record();
    const item = JSON.stringify({ ...submission(visit, at.mono), receipt: seals.hex(await seals.sha256(seals.bytes(code))), ...at });
    // Sealed texts have few lengths: else they would tell how much was said.
    const size = seals.bytes(item).length;
    const text = item + ' '.repeat(Math.ceil(size / 512) * 512 - size);
    try {
      const sealed = await seals.seal(seals.unbase64(bundle.seal), seals.forAnswer, seals.bytes(text));
      await this.#add(sealed, seals.hex(await seals.sha256(sealed)), session);
    } catch (e) {
      this.#fail(e);
      return this.home();
    }
    this.#thank(bundle, code);
  }

  async #add(sealed, digest, session) {
    for (let tries = 1; ; tries++) {
      try {
        return await this.queue.add(sealed, digest, session);
      } catch (e) {
        if (tries === 3) throw e;
        await sleep(300);
      }
    }
  }

  #thank(bundle, code) {
    this.visit = null;
    this.until = performance.now() + thanksFor * 1000;
    show(screens.thanks({ bundle, lang: this.lang, code, seconds: thanksFor, ondone: () => this.home() }));
  }

  // --- idleness: who leaves a visit open leaves nothing behind

  touched() {
    this.last = performance.now();
    this.#dismiss();
  }

  #dismiss() {
    this.warning?.dialog.remove();
    this.warning = null;
  }

  #tick() {
    this.clock.now(); // a jump is seen within a second
    const wall = Date.now();
    // Who comes when a tablet wakes up is not who put it to sleep.
    if (wall - this.ticked > idleFor * 1000) {
      this.hush();
      this.last = this.until = -Infinity;
    }
    this.ticked = wall;
    if (this.mode === 'thanks' && this.visit === null && performance.now() > this.until) this.home();
    if (this.mode === 'attract') {
      if (this.problem() !== this.drawn) this.#draw();
      this.#switch();
      // Another language than Vietnamese is somebody's choice, and that person has gone.
      if (this.lang !== 'vi' && performance.now() - this.last > idleFor * 1000) this.home();
    }
    const open = ['visit', 'pin', 'staff'].includes(this.mode) || this.mode === 'enrol' && this.device && !this.pairing;
    if (!open) return;
    if (this.playing) this.last = performance.now();
    const left = Math.ceil(idleFor + warnFor - (performance.now() - this.last) / 1000);
    if (left <= 0) {
      if (this.mode === 'visit') this.abandon();
      else this.home();
    } else if (left <= warnFor && this.mode === 'visit') {
      if (!this.warning) {
        this.warning = screens.idle({ lang: this.lang, onstay: () => this.touched() });
        document.getElementById('app').append(this.warning.dialog);
        this.warning.count(left);
        this.warning.dialog.showModal();
      }
      this.warning.count(left);
    }
  }

  // --- sound, light and full screen

  async hear(address) {
    this.hush();
    const ticket = this.ticket = {};
    const body = await this.release.sound(address);
    if (!body || this.ticket !== ticket) return;
    this.audio ||= new AudioContext();
    await this.audio.resume();
    const source = this.audio.createBufferSource();
    source.buffer = await this.audio.decodeAudioData(body);
    if (this.ticket !== ticket) return;
    source.connect(this.audio.destination);
    source.onended = () => { if (this.playing === source) this.playing = null; };
    this.playing = source;
    source.start();
  }

  hush() {
    this.ticket = null;
    const { playing } = this;
    this.playing = null;
    playing?.stop();
  }

  async #stayAwake() {
    if (document.visibilityState !== 'visible') return;
    try { this.lock = await navigator.wakeLock?.request('screen'); } catch { /* the system decides, SETUP.md says how */ }
  }

  #full() {
    const page = document.documentElement;
    if (document.fullscreenElement || matchMedia('(display-mode: fullscreen), (display-mode: standalone)').matches) return;
    page.requestFullscreen?.({ navigationUI: 'hide' }).catch(() => { /* the system decides */ });
  }

  // --- storage

  // fail stops the tablet when its storage does.
  #fail(e) {
    console.error('storage', e?.name, e?.message);
    this.broken = e?.name === 'QuotaExceededError' ? 'full' : 'stopped';
  }

  // look sees how the tablet does, and whether its storage works again.
  async #look() {
    const { status } = this;
    try {
      if (this.broken) await this.storage.commit([['put', 'meta', 'probe', 1]]);
      const { usage = 0, quota = 0 } = await navigator.storage.estimate();
      status.used = usage;
      status.quota = quota;
      this.broken = quota > 0 && quota - usage < spare ? 'full' : '';
      status.persisted = await navigator.storage.persisted();
      // Browsers promise it to programs that are installed or used a lot, so each start asks
      // again. One may ask a person, which nothing here waits for.
      if (!status.persisted && this.device && !this.asked) {
        this.asked = true;
        navigator.storage.persist().then((yes) => { status.persisted = yes; });
      }
    } catch (e) {
      this.#fail(e);
      if (this.mode === 'attract' && this.broken === 'stopped') location.reload(); // the database may have been closed
    }
    try {
      const battery = await navigator.getBattery?.();
      if (battery) Object.assign(status, { battery: battery.level, charging: battery.charging });
    } catch { /* it is not told */ }
  }

  async #keep(values) {
    await this.storage.commit(Object.entries(values).map(([key, value]) => ['put', 'meta', key, value]));
  }

  // --- contact with the server

  async #pair() {
    this.proofs = await seals.signer(this.device.key);
    this.sync = new Sync({ queue: this.queue, clock: this.clock, proofs: this.proofs, tell: () => this.#tell(), fetch: fetch.bind(window) });
  }

  #tell() {
    return { app: running, bundle: this.release.now?.bundle || '', status: { ...this.status, abandoned: this.queue.abandoned, problem: this.problem() } };
  }

  // talk keeps in contact for as long as the program runs.
  async #talk() {
    if (this.talking) return;
    this.talking = true;
    for (;;) {
      const failed = await this.#meet();
      await new Promise((resolve) => {
        this.wake = resolve;
        setTimeout(resolve, this.sync.pause(failed));
      });
    }
  }

  #soon() { setTimeout(() => this.wake?.(), 5000 * Math.random()); }

  // meet sends until nothing is left, and returns whether it failed. Two never run at once.
  #meet() {
    this.meeting ||= this.#send().finally(() => { this.meeting = null; });
    return this.meeting;
  }

  async #send() {
    let result = 'ok';
    try {
      let answer;
      do {
        const { sync } = this;
        answer = await sync.once();
        await this.#hearFrom(answer, sync);
        if (answer.revoked) result = 'revoked';
      } while (answer.more);
      if (result === 'ok' && this.clock.seen === 0) result = 'set';
    } catch (e) {
      result = e.kind || 'storage';
      if (!e.kind) this.#fail(e);
    }
    const reached = result === 'ok' || result === 'revoked';
    this.contact = { at: reached ? this.clock.time() : this.contact.at, result };
    await this.#keep({ contact: this.contact, clock: { offset: this.clock.offset, seen: this.clock.seen } }).catch((e) => this.#fail(e));
    return !reached;
  }

  async #hearFrom(answer, sync) {
    if (sync !== this.sync) return; // paired anew meanwhile
    if (answer.again > 0) await this.#keep({ exported: this.exported = 0 });
    const changed = this.message !== answer.message;
    this.revoked = answer.revoked;
    this.message = answer.message;
    if (changed && this.mode === 'attract') this.#draw();
    this.device = { ...this.device, name: answer.name, desk: answer.desk };
    await this.#keep({ device: this.device, revoked: this.revoked, message: this.message });
    if (answer.revoked || !answer.bundle) return;
    try {
      this.staged = await this.release.stage(answer.app, answer.bundle, { Authorization: 'Bearer ' + this.proofs.bearer });
    } catch (e) {
      console.warn('the new release is not here yet:', e?.message); // tried again at the next contact
    }
    await this.#switch();
  }

  // switch takes up a release that lies ready, between two people and never during an
  // answer.
  #switch() {
    if (!this.staged || this.mode !== 'attract' || this.switching || this.starting) return this.switching;
    this.switching = this.#takeUp().finally(() => { this.switching = null; });
    return this.switching;
  }

  async #takeUp() {
    try {
      await this.release.switch(this.staged);
      this.staged = null;
      if (this.release.now.app !== running) {
        location.reload();
        await new Promise(() => {}); // nothing starts any more
      }
      this.bundle = await this.release.bundle();
      await this.release.prove();
      if (this.mode === 'attract') this.#draw();
    } catch (e) {
      this.staged = null; // the old one goes on; tried again at the next contact
      console.warn('the new release is not taken up:', e?.message);
    }
  }

  // --- pairing and staff

  enrol(code = '') {
    this.mode = 'enrol';
    show(staff.enrol({ lang: 'vi', code, onenrol: (c, pin) => this.#enrolled(c, pin), oncancel: this.device ? () => this.home() : null }));
  }

  // enrolled pairs, whatever is touched meanwhile, and returns what is wrong, '' for nothing.
  async #enrolled(code, pin) {
    this.pairing = true;
    try {
      return await this.#pairWith(code, pin);
    } catch (e) {
      this.#fail(e);
      return say('vi', 'staff.failed', e?.message);
    } finally {
      this.pairing = false;
      this.touched();
    }
  }

  // The key is made and stored before it is used: when the answer is lost, the same key
  // asks again.
  async #pairWith(code, pin) {
    const meta = (await this.storage.load()).meta;
    const key = meta.pairing || seals.random(32);
    await this.#keep({ pairing: key });
    let response, device;
    try {
      response = await fetch('/api/v1/kiosk/enrol', {
        method: 'POST', cache: 'no-store', credentials: 'omit', redirect: 'error', headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ code, key_sha256: (await seals.signer(key)).hash }), signal: AbortSignal.timeout(30e3),
      });
      device = await response.json();
    } catch {
      return say('vi', 'enrol.offline');
    }
    if (!response.ok || !device.device) {
      // A key that the server knows for another tablet would be refused for ever.
      if (response.status === 404) await this.storage.commit([['delete', 'meta', 'pairing']]);
      return say('vi', response.status === 429 ? 'enrol.busy' : response.status >= 500 ? 'enrol.offline' : 'enrol.wrong');
    }
    const other = this.device && this.device.id !== device.device;
    if (other && this.queue.unsent.size > 0) {
      await this.storage.commit([['delete', 'meta', 'pairing']]);
      return say('vi', 'enrol.other', device.name, this.queue.unsent.size, this.device.name);
    }
    if (other) {
      await this.queue.renew(newEpoch());
      await this.#keep({ exported: this.exported = 0 });
    }
    this.device = { id: device.device, name: device.name, desk: device.desk, key };
    this.pin = await staff.hashPIN(pin);
    this.revoked = false;
    await this.storage.commit([['delete', 'meta', 'pairing'], ...Object.entries({ device: this.device, pin: this.pin, revoked: false }).map(([k, v]) => ['put', 'meta', k, v])]);
    await this.#look();
    await this.#pair();
    this.home();
    this.wake?.();
    this.#talk();
    return '';
  }

  askPIN() {
    this.mode = 'pin';
    this.touched();
    show(staff.pin({ lang: 'vi', kept: this.pin, onopen: () => { if (this.mode === 'pin') this.menu(); }, onpair: () => this.enrol(), oncancel: () => this.home() }));
  }

  menu(said = '') {
    this.mode = 'staff';
    this.sure = false;
    const close = () => this.home();
    show(staff.menu({ lang: 'vi', state: {
      said, device: this.device, desk: this.bundle ? `${this.bundle.desk.name.vi || ''} (${this.bundle.desk.id})` : this.device.desk,
      queued: this.queue.unsent.size, kept: this.queue.kept.size, contact: this.contact, offset: this.clock.offset, status: this.status,
      app: running, bundle: this.release.now?.bundle,
    }, on: {
      sync: async () => { await this.#meet(); await this.#look(); this.#again(); },
      test: () => { this.home(); this.begin(true); },
      exportAnswers: () => this.#export(),
      receipts: (file) => this.#receipts(file),
      full: () => { this.#full(); },
      pair: () => this.enrol(),
      unpair: () => this.#unpair(),
      close,
    } }));
  }

  // again shows the menu anew, unless staff have left it meanwhile.
  #again(said) { if (this.mode === 'staff') this.menu(said); }

  // export hands the queue over as files that only the server reads. Everything stays in
  // the queue until a receipt comes.
  async #export() {
    const files = [], highest = [...this.queue.unsent].reduce((a, b) => Math.max(a, b), 0);
    let count = 0, last = 0;
    do {
      const entries = await this.queue.take(exportMost, exportBytes, last);
      if (last > 0 && !(entries[0]?.n > last)) break; // sent meanwhile
      files.push(await this.#exported(entries, files.length + 1));
      count += entries.length;
      last = entries.length > 0 ? entries[entries.length - 1].n : highest;
    } while (last < highest);
    try {
      // Where a browser cannot save files (an installed app on an iPad) it can share them.
      if (navigator.canShare?.({ files }) && !('onbeforeinstallprompt' in window)) await navigator.share({ files });
      else for (const f of files) save(f);
    } catch (e) {
      return say('vi', 'staff.export_failed', e?.message);
    }
    this.exported = Math.max(this.exported, last);
    await this.#keep({ exported: this.exported });
    return say('vi', 'staff.exported', count);
  }

  async #exported(entries, number) {
    const sessions = this.queue.sessionsOf(entries);
    const items = entries.map((e) => ({ n: e.n, sealed: seals.base64(e.sealed) }));
    const batch = JSON.stringify({
      turn: 0, nonce: seals.base64url(seals.random(18)), ...this.queue.numbers(), ...this.#tell(),
      ...this.clock.now(), sessions, items,
    });
    const text = JSON.stringify({ batch, mac: await this.proofs.exported(batch) });
    const sealed = await seals.seal(seals.unbase64(this.bundle.seal), seals.forExport, seals.bytes(text));
    const file = JSON.stringify({ sipas_kiosk_export: 1, device: this.device.id, sealed: seals.base64(sealed) });
    return new File([file], `sipas-${this.device.id}-${dayOf(this.clock.time())}-${number}.json`, { type: 'application/json' });
  }

  // receipts reads what the server said of an exported file.
  async #receipts(file) {
    try {
      const { receipts } = JSON.parse(await file.text());
      const left = await this.queue.settle(receipts, async (e, r) => r.receipt === await this.proofs.receipt(e.digest, r.outcome), Math.max(this.clock.time(), this.clock.seen));
      this.#again(say('vi', 'staff.settled', left));
      return say('vi', 'staff.settled', left);
    } catch {
      return say('vi', 'staff.receipts_wrong');
    }
  }

  async #unpair() {
    const left = [...this.queue.unsent].filter((n) => n > this.exported).length;
    if (left > 0) return say('vi', 'staff.unpair_left', left);
    if (!this.sure) {
      this.sure = true;
      return say('vi', 'staff.unpair_ask', this.queue.unsent.size);
    }
    await this.storage.destroy();
    await this.release.destroy();
    for (const r of await navigator.serviceWorker.getRegistrations()) await r.unregister();
    location.reload();
    return '';
  }
}

function save(file) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60e3);
}

const readClocks = () => ({ mono: Math.round(performance.now()), wall: Date.now() });
const newEpoch = () => seals.hex(seals.random(16));
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// missing lists what the browser cannot do and the tablet needs.
function missing() {
  const needed = {
    'Web Locks': navigator.locks, 'Service Worker': navigator.serviceWorker, 'Web Crypto': globalThis.crypto?.subtle, IndexedDB: globalThis.indexedDB,
    'AbortSignal.timeout': AbortSignal.timeout, dialog: globalThis.HTMLDialogElement, 'StorageManager': navigator.storage?.persist,
  };
  return Object.keys(needed).filter((name) => !needed[name]);
}

// takeCode reads the pairing code with which a QR code opened the page, and takes it out of
// the address.
function takeCode() {
  const code = location.hash.slice(1);
  if (code) history.replaceState(null, '', location.pathname);
  return code;
}

async function main() {
  if (!window.isSecureContext) return show(screens.problem({ kind: 'insecure' }));
  const lacking = missing();
  if (lacking.length > 0) return show(screens.problem({ kind: 'browser', details: [lacking.join(', ')] }));
  // Without network the one that is installed goes on.
  navigator.serviceWorker.register('/kiosk/sw.js', { scope: '/kiosk', updateViaCache: 'none' }).catch((e) => console.warn('service worker:', e?.message));
  const waits = setTimeout(() => show(screens.problem({ kind: 'second' })), 500);
  // One tab alone writes; the lock ends with the page.
  await navigator.locks.request('sipas-kiosk', async () => {
    clearTimeout(waits);
    const tablet = new Tablet();
    const code = takeCode();
    await tablet.start();
    const enrol = (c) => { if (c && tablet.mode === 'enrol') tablet.enrol(c); };
    enrol(code);
    window.addEventListener('hashchange', () => enrol(takeCode()));
    await new Promise(() => {});
  });
}

main().catch((e) => {
  console.error('start', e?.name, e?.message);
  show(screens.problem({ kind: 'stopped' }));
  setTimeout(() => location.reload(), 60e3);
});
