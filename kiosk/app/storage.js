// The queue's storage in a browser: IndexedDB. Every change is one transaction with strict
// durability: when it is complete the disk has it, and not only the system's memory.
//
// The database is opened at whatever version it has: an older program must work on a
// database that a newer one has changed (see update.js). So a change of the schema only
// ever adds: a store, an index, a field that may be missing.

const name = 'sipas-kiosk';
const version = 1;

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

export async function openStorage() {
  let db = await openAt();
  if (db.version < version) {
    db.close();
    db = await openAt(version);
  }
  return new Storage(db);
}

class Storage {
  constructor(db) {
    this.db = db;
    // Nobody else has it open: one tab alone writes (main.js). A newer program's tab may
    // wait for this one.
    db.onversionchange = () => db.close();
  }

  async load() {
    const t = this.db.transaction(['meta', 'queue', 'kept', 'sessions'], 'readonly');
    const [keys, values, queue, kept, sessions] = await Promise.all([
      result(t.objectStore('meta').getAllKeys()), result(t.objectStore('meta').getAll()),
      result(t.objectStore('queue').getAllKeys()), this.#sent(t.objectStore('kept')), result(t.objectStore('sessions').getAll()),
    ]);
    return { meta: Object.fromEntries(keys.map((k, i) => [k, values[i]])), queue, kept, sessions };
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
    const store = this.db.transaction(set, 'readonly').objectStore(set);
    return (await Promise.all(numbers.map((n) => result(store.get(n))))).filter(Boolean);
  }

  async commit(operations) {
    const t = this.db.transaction([...new Set(operations.map((o) => o[1]))], 'readwrite', { durability: 'strict' });
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

  // destroy removes everything, for a tablet that leaves.
  async destroy() {
    this.db.close();
    await result(indexedDB.deleteDatabase(name));
  }
}
