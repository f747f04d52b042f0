// The queue's storage in a browser: IndexedDB. Every change is one transaction with strict
// durability: when it is complete the disk has it, and not only the system's memory.
//
// The database is opened at whatever version it has: an older program must work on a
// database that a newer one has changed (see update.js). So a change of the schema only
// ever adds: a store, an index, a field that may be missing.
//
// A disk that is really full must not be met here. Chromium's database is a log; one whose last
// record a full disk (or a power cut) has cut short is unreadable until there is room, and when
// it has been written on to, the next start takes it for damaged and erases all that the origin
// has. So a file of its own probes the disk before each write, and nothing is written before the
// browser has begun a new log.

const name = 'sipas-kiosk';
const version = 1;
const records = 80; // of 64,000 bytes, more than a log holds before a new one is begun

export const probe = 64 << 10; // bytes
// enough is the room that a tablet should have: that of thousands of answers. One that had less
// takes nothing before it has as much.
export const enough = 8 << 20;

// room fails where there is no room for so many bytes. It knows only of browsers that let it
// write files.
export async function room(bytes) {
  try {
    const folder = await navigator.storage.getDirectory?.();
    const file = await folder?.getFileHandle('probe', { create: true });
    if (!file?.createWritable) return;
    for (const size of new Set([bytes, probe])) { // the probe alone stays
      const out = await file.createWritable();
      await out.write(crypto.getRandomValues(new Uint8Array(probe)));
      if (size > probe) await out.write(new Uint8Array(size - probe));
      await out.close();
    }
  } catch (e) {
    if (e?.name === 'SecurityError' || e?.name === 'NotAllowedError') return; // here it may not
    // What a browser calls it depends on where the disk failed it.
    throw new DOMException('no room: ' + e?.message, 'QuotaExceededError');
  }
}

// isFull: an error says that the disk, or the browser's share of it, is full. Chromium calls
// a large value for which there is no room a DataError.
export const isFull = (e) => ['QuotaExceededError', 'DataError'].includes(e?.name) || /NO_SPACE|disk full/i.test(e?.message);

// Replaced: under the name of the database is another one, which does not know what this
// program knows: somebody has cleared the browser.
export class Replaced extends Error {}

function upgrade(db) {
  for (const store of ['meta', 'queue', 'kept', 'sessions']) {
    if (!db.objectStoreNames.contains(store)) db.createObjectStore(store);
  }
}

export function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export function complete(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error || new Error('the transaction was aborted'));
  });
}

function openAt(at) {
  const request = at ? indexedDB.open(name, at) : indexedDB.open(name);
  request.onupgradeneeded = () => upgrade(request.result);
  return result(request);
}

async function open() {
  const db = await openAt();
  if (db.version >= version) return db;
  db.close();
  return openAt(version);
}

export async function openStorage() { return new Storage(await open()); }

class Storage {
  constructor(db) { this.#use(db); }

  // Nobody else has it open: one tab alone writes (main.js). A newer program's tab may
  // wait for this one.
  #use(db) {
    this.db = db;
    this.renewed = null;
    const gone = () => { if (this.db === db) this.db = null; };
    db.onversionchange = () => { db.close(); gone(); };
    db.onclose = gone; // by the browser, after a write that failed
  }

  // begin starts a transaction; a database that was closed meanwhile is opened again.
  async #begin(sets, mode, options) {
    if (!this.db) await (this.opening ||= this.#reopen().finally(() => { this.opening = null; }));
    try {
      return this.db.transaction(sets, mode, options);
    } catch (e) {
      this.db = null;
      throw e;
    }
  }

  async #reopen() {
    await room(enough);
    const db = await open();
    if (await result(db.transaction('meta').objectStore('meta').get('epoch')) !== this.epoch) {
      db.close();
      throw new Replaced('the database was replaced');
    }
    this.#use(db);
  }

  async load() {
    const t = await this.#begin(['meta', 'queue', 'kept', 'sessions'], 'readonly');
    const [keys, values, queue, kept, sessions] = await Promise.all([
      result(t.objectStore('meta').getAllKeys()), result(t.objectStore('meta').getAll()),
      result(t.objectStore('queue').getAllKeys()), this.#sent(t.objectStore('kept')), result(t.objectStore('sessions').getAll()),
    ]);
    const meta = Object.fromEntries(keys.map((k, i) => [k, values[i]]));
    this.epoch = meta.epoch;
    return { meta, queue, kept, sessions };
  }

  // A cursor, since all answers that were sent may be a lot for the memory of a tablet.
  #sent(store) {
    return new Promise((resolve, reject) => {
      const list = [], request = store.openCursor();
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return resolve(list);
        list.push([cursor.key, cursor.value.sent]);
        cursor.continue();
      };
    });
  }

  async read(set, numbers) {
    if (numbers.length === 0) return [];
    const store = (await this.#begin(set, 'readonly')).objectStore(set);
    return (await Promise.all(numbers.map((n) => result(store.get(n))))).filter(Boolean);
  }

  async commit(operations) {
    await this.#ready();
    await this.#write(operations, 'strict');
    for (const [, set, key, value] of operations) if (set === 'meta' && key === 'epoch') this.epoch = value;
  }

  async #write(operations, durability) {
    const t = await this.#begin([...new Set(operations.map((o) => o[1]))], 'readwrite', { durability });
    const done = complete(t);
    try {
      for (const [what, set, key, value] of operations) {
        if (what === 'put') t.objectStore(set).put(value, key);
        else t.objectStore(set).delete(key);
      }
      t.commit();
    } catch (e) {
      t.abort();
      await done.catch(() => {});
      throw e;
    }
    await done;
  }

  // ready fails where nothing may be written.
  async #ready() {
    while (!this.db || !this.renewed) {
      if (!this.db) await this.#begin('meta', 'readonly');
      await (this.renewed ||= this.#renew().catch((e) => { this.renewed = null; throw e; }));
    }
    await room(probe);
  }

  async #renew() {
    await room(enough);
    const record = crypto.getRandomValues(new Uint8Array(64_000));
    for (let i = 0; i < records; i++) await this.#write([['put', 'meta', 'probe', record]], 'relaxed');
    await this.#write([['delete', 'meta', 'probe']], 'strict');
  }

  // room probes for how many bytes there is room, up to enough. It throws where nothing may be
  // written.
  async room() {
    await this.commit([['put', 'meta', 'probe', new Uint8Array(probe)]]);
    await this.commit([['delete', 'meta', 'probe']]);
    try {
      await room(enough);
      return enough;
    } catch (e) {
      if (isFull(e)) return probe;
      throw e;
    }
  }

  // destroy removes everything, for a tablet that leaves.
  async destroy() {
    this.db?.close();
    await result(indexedDB.deleteDatabase(name));
  }
}
