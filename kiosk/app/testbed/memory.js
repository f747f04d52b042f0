// A tablet's disk in memory, which stands for storage.js and can fail at every commit.

// Crash ends a program: nothing that it does later reaches the disk.
export class Crash extends Error {}

// full is what a browser throws when the storage has no room left.
export const full = () => new DOMException('no room', 'QuotaExceededError');

// Disk outlives the programs that run on it.
export class Disk {
  constructor() {
    this.sets = { meta: new Map(), queue: new Map(), kept: new Map(), sessions: new Map() };
  }

  // start gives a program the disk. fault(operations) is asked before each commit and
  // returns what happens, or a promise of it (a slow disk): '' nothing, 'before' or 'after' a crash there,
  // 'full' no room.
  start(fault = () => '') { return new Memory(this, fault); }

  // keys of a set, ascending.
  keys(set) { return [...this.sets[set].keys()].sort((a, b) => a - b); }
}

class Memory {
  constructor(disk, fault) {
    Object.assign(this, { disk, fault, dead: false });
  }

  // kill ends the program from outside.
  kill() { this.dead = true; }

  #alive() { if (this.dead) throw new Crash('the program has ended'); }

  async load() {
    this.#alive();
    const { meta, kept, sessions } = this.disk.sets;
    return structuredClone({
      meta: Object.fromEntries(meta), queue: this.disk.keys('queue'),
      kept: this.disk.keys('kept').map((n) => [n, kept.get(n).sent]), sessions: this.disk.keys('sessions').map((n) => sessions.get(n)),
    });
  }

  async read(set, numbers) {
    this.#alive();
    return structuredClone(numbers.map((n) => this.disk.sets[set].get(n)).filter(Boolean));
  }

  async commit(operations) {
    this.#alive();
    // As a browser does, it takes the values as they are now, and nothing that it does
    // not know.
    const copy = structuredClone(operations);
    for (const [what, set, key, value] of copy) {
      if (what !== 'put' && what !== 'delete' || !this.disk.sets[set]) throw new TypeError(`${what} ${set}`);
      if (typeof key !== (set === 'meta' ? 'string' : 'number') || what === 'put' && value === undefined) throw new TypeError(`${set} ${key}`);
    }
    const fault = await this.fault(copy);
    this.#alive();
    if (fault === 'full') throw full();
    if (fault === 'before') {
      this.dead = true;
      throw new Crash('before a commit');
    }
    for (const [what, set, key, value] of copy) {
      if (what === 'put') this.disk.sets[set].set(key, value);
      else this.disk.sets[set].delete(key);
    }
    if (fault === 'after') {
      this.dead = true;
      throw new Crash('after a commit');
    }
  }
}
