// The program and the survey that a tablet runs: a release. A new one is fetched file by
// file, each checked against the SHA-256 that a signed answer gave, and lies ready until
// nobody is answering; then one write switches both. The service worker (sw.js) serves
// whatever release the pointer names, and returns to the one before when the new program
// does not come to life.
//
// Database sipas-shell, version 1 for ever, since programs of all ages share it:
//   files    key "app/<version>/<file>", "bundle/<hash>" or "sound/<address>" → { type, body }
//   release  key "now" → { app, bundle, previous: { app, bundle } or null, loads, proven, bad: [app] }

import { hex, sha256 } from './seal.js';
import { complete, isFull, probe, result, room } from './storage.js';

const soundLimit = 200 << 20; // bytes of all recordings

function open() {
  const request = indexedDB.open('sipas-shell', 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore('files');
    request.result.createObjectStore('release');
  };
  return result(request);
}

// Release is the one that runs.
export class Release {
  static async open(fetch) {
    const r = new Release();
    r.fetch = fetch;
    r.now = await r.#get('release', 'now') || null;
    return r;
  }

  // begin starts a transaction; a database that the browser closed is opened again.
  async #begin(sets, mode, options) {
    try {
      if (this.db) return this.db.transaction(sets, mode, options);
    } catch { /* it is closed */ }
    this.db = await open();
    return this.db.transaction(sets, mode, options);
  }

  async #get(set, key) { return result((await this.#begin(set, 'readonly')).objectStore(set).get(key)); }

  async #put(set, key, value) {
    await room(probe + (value.body?.byteLength || 0)); // see storage.js
    const t = await this.#begin(set, 'readwrite', { durability: 'strict' });
    t.objectStore(set).put(value, key);
    await complete(t);
  }

  async #has(key) { return await result((await this.#begin('files', 'readonly')).objectStore('files').count(key)) > 0; }

  // bundle reads the survey of the release that runs, null before there is one.
  async bundle() {
    const file = this.now && await this.#get('files', 'bundle/' + this.now.bundle);
    return file ? JSON.parse(new TextDecoder().decode(file.body)) : null;
  }

  // sound reads a recording, undefined where it is not here.
  async sound(address) { return (await this.#get('files', 'sound/' + address))?.body; }

  // stage fetches what a release lacks and returns whether it differs from the one that
  // runs and lies ready. app is { version, files: [{ path, sha256 }] } and bundle a SHA-256,
  // both from a signed answer. A file that comes out otherwise is left out: it throws.
  async stage(app, bundle, headers) {
    // A program that did not come to life is not tried again; its survey is, with the old one.
    const version = this.now?.bad.includes(app.version) ? this.now.app : app.version;
    const key = 'bundle/' + bundle;
    if (this.now && this.now.app === version && this.now.bundle === bundle && await this.#has(key)) return null;
    const files = version === app.version ? app.files.map((f) => [`app/${version}/${f.path}`, `/kiosk/${version}/${f.path}`, f.sha256]) : [];
    this.staging = true;
    try {
      for (const f of files) await this.#fetched(...f);
      await this.#fetched(key, '/api/v1/kiosk/bundle', bundle, headers);
      const survey = JSON.parse(new TextDecoder().decode((await this.#get('files', key)).body));
      if (survey.format !== 1) throw new Error('the survey is for another program');
      await this.#sounds(survey);
    } catch (e) {
      if (isFull(e)) await this.#sweep(); // what is left of it would take the room of answers
      throw e;
    } finally {
      this.staging = false;
    }
    return { app: version, bundle, needs: [key, ...files.map(([k]) => k)] };
  }

  async #fetched(key, address, hash, headers) {
    if (await this.#has(key)) return;
    const response = await this.fetch(address, { cache: 'no-store', credentials: 'omit', redirect: 'error', headers, signal: AbortSignal.timeout(60e3) });
    if (!response.ok) throw new Error(`${address}: status ${response.status}`);
    const body = await response.arrayBuffer(), type = response.headers.get('Content-Type');
    if (!hash && !type?.startsWith('audio/')) throw new Error(address + ' is no recording');
    if (hash && hex(await sha256(new Uint8Array(body))) !== hash) throw new Error(address + ' is not what the server promised');
    await this.#put('files', key, { type, body });
  }

  // Without a recording the question is still there: one that cannot be had stops nothing.
  // Where the network is bad, or room is scarce, the rest waits for the next release, and
  // answers need not wait.
  async #sounds(bundle) {
    let sum = 0, failed = 0;
    for (const address of Object.values(bundle.sounds)) {
      try {
        await this.#fetched('sound/' + address, address, null);
        sum += (await this.sound(address)).byteLength;
      } catch (e) {
        if (isFull(e)) return this.#sweep(['app/', 'bundle/']);
        failed++;
      }
      if (sum > soundLimit || failed === 3) return;
    }
  }

  // switch makes a staged release the one that runs. A new program counts as proven once
  // it says so.
  async switch({ app, bundle, needs }) {
    for (const key of needs) if (!await this.#has(key)) throw new Error(key + ' is gone');
    const { now } = this;
    const same = now?.app === app;
    const next = {
      app, bundle, previous: now ? same ? now.previous : { app: now.app, bundle: now.bundle } : null,
      loads: same ? now.loads : 0, proven: same ? now.proven : !now, bad: now ? now.bad.filter((b) => b !== app) : [],
    };
    await this.#put('release', 'now', next);
    this.now = next;
  }

  // prove notes that the program came to life, and forgets what no release needs any more.
  async prove() {
    if (!this.now) return;
    if (!this.now.proven) {
      this.now = { ...this.now, proven: true };
      await this.#put('release', 'now', this.now);
    }
    if (!this.staging) await this.#sweep(); // what is fetched just now is of no release yet
  }

  // sweep forgets what neither the release that runs nor the one before it needs; others are
  // how the keys begin of what stays besides.
  async #sweep(others = []) {
    const { app, bundle, previous } = this.now || {};
    const inUse = new Set(Object.values((await this.bundle())?.sounds || {}).map((a) => 'sound/' + a));
    const needed = (key) => [app, previous?.app].some((v) => key.startsWith(`app/${v}/`)) || [bundle, previous?.bundle].some((b) => key === 'bundle/' + b) || inUse.has(key) || others.some((o) => key.startsWith(o));
    const t = await this.#begin('files', 'readwrite');
    const files = t.objectStore('files');
    for (const key of await result(files.getAllKeys())) if (!needed(key)) files.delete(key);
    await complete(t);
  }

  async destroy() {
    this.db?.close();
    await result(indexedDB.deleteDatabase('sipas-shell'));
  }
}
