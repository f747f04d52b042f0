// The answers on a tablet, from the moment they are finished until a verified backup has
// them. Pure: storage is an argument (storage.js in a browser), so that tests can stop
// it between any two steps.
//
// Storage keeps four sets by key: meta, queue (answers to send, by number), kept (answers
// that were sent, by number) and sessions (of the clock, by number). It has
//   load()                → { meta: {…}, queue: [numbers], kept: [[number, sent]], sessions: [records] }
//   read(set, numbers)    → the entries with these numbers, in their order
//   commit([operation])   → all of them or none, durable when it resolves;
//                           ['put', set, key, value] or ['delete', set, key]
//
// An entry is { n, sealed, digest, session }, in kept with sent: when a receipt came.

const keptFor = 60 * 24 * 3600e3; // at most, in ms
const maxSessions = 4000; // the server takes 20,000

export class Queue {
  constructor(storage, loaded) {
    this.storage = storage;
    this.turn = Promise.resolve();
    this.batches = 0; // since the program started
    this.#know(loaded);
  }

  #know(loaded) {
    const { meta } = loaded;
    this.epoch = meta.epoch;
    this.next = meta.next;
    this.abandoned = meta.abandoned || 0;
    this.exported = meta.exported || []; // ranges of numbers that are in a file, too
    this.unsent = new Set(loaded.queue);
    this.kept = new Map(loaded.kept);
    this.sessions = new Map(loaded.sessions.map((s) => [s.n, s]));
  }

  // open reads what is there, and gives a new database its epoch.
  static async open(storage, newEpoch) {
    const loaded = await storage.load();
    if (!loaded.meta.epoch) {
      loaded.meta.epoch = newEpoch();
      loaded.meta.next = 1;
      await storage.commit([['put', 'meta', 'epoch', loaded.meta.epoch], ['put', 'meta', 'next', 1]]);
    }
    return new Queue(storage, loaded);
  }

  // reload reads again what is there, after a write of which nobody knows what became.
  reload() {
    return this.alone(async () => this.#know(await this.storage.load()));
  }

  // alone runs one change after another.
  alone(change) {
    const run = this.turn.then(change);
    this.turn = run.catch(() => {});
    return run;
  }

  // add stores a finished answer under the next number and returns that once it is durable.
  // When it throws nothing was stored, and the number is still to be given out. session is
  // the record of the clock's session in which it was given.
  add(sealed, digest, session) {
    return this.alone(async () => {
      const n = this.next;
      await this.#remember(session, [['put', 'queue', n, { n, sealed, digest, session: session.n }], ['put', 'meta', 'next', n + 1]]);
      this.next = n + 1;
      this.unsent.add(n);
      return n;
    });
  }

  // abandon counts an answer that was begun and not finished.
  abandon() {
    return this.alone(async () => {
      await this.storage.commit([['put', 'meta', 'abandoned', this.abandoned + 1]]);
      this.abandoned++;
    });
  }

  // note stores a session of the clock, as it is after a contact or a start.
  note(session) {
    return this.alone(() => this.#remember(session, []));
  }

  // What is known of a session only grows: a record from before a contact does not undo it.
  // A session for each visitor, as a tablet has that sleeps in between, becomes too many for
  // the server when there is no network for months: the oldest go.
  async #remember(record, operations) {
    const known = this.sessions.get(record.n);
    const session = known ? { ...known, ...record, to: Math.max(known.to, record.to) } : record;
    const others = [...this.sessions.keys()].filter((n) => n !== session.n).sort((a, b) => a - b);
    const oldest = others.slice(0, Math.max(0, others.length + 1 - maxSessions));
    await this.storage.commit([...operations, ['put', 'sessions', session.n, session], ...oldest.map((n) => ['delete', 'sessions', n])]);
    this.sessions.set(session.n, session);
    for (const n of oldest) this.sessions.delete(n);
  }

  // take reads up to most answers to send, at most size bytes of them, the lowest numbers
  // after a number first. It takes nothing away.
  take(most, size, after = 0) {
    return this.alone(async () => {
      const all = [...this.unsent].sort((a, b) => a - b);
      const from = all.findIndex((n) => n > after);
      const entries = await this.storage.read('queue', from < 0 ? all.slice(0, most) : all.slice(from, from + most));
      let sum = 0;
      return entries.filter((e, i) => (sum += e.sealed.length) <= size || i === 0);
    });
  }

  // settle moves answers with a good receipt out of the queue; good(entry, receipt) says
  // whether it is one. now is the true time. It returns how many left the queue.
  settle(receipts, good, now, epoch = this.epoch) {
    return this.alone(async () => {
      if (epoch !== this.epoch) return 0; // the tablet is another one meanwhile
      const mine = new Map(receipts.filter((r) => this.unsent.has(r.n)).map((r) => [r.n, r]));
      const entries = await this.storage.read('queue', [...mine.keys()]);
      const done = [];
      // The day is enough to forget it in time.
      const sent = now - now % 864e5;
      for (const e of entries) if (await good(e, mine.get(e.n))) done.push({ ...e, sent });
      if (done.length === 0) return 0;
      await this.storage.commit(done.flatMap((e) => [['put', 'kept', e.n, e], ['delete', 'queue', e.n]]));
      for (const e of done) {
        this.unsent.delete(e.n);
        this.kept.set(e.n, e.sent);
      }
      return done.length;
    });
  }

  // reconcile does what the server says of the epoch: answers that were sent and are not
  // among those received (it was restored from an older backup) go into the queue again;
  // those that a backup covers, or that were sent 60 days ago, are forgotten. Files from
  // before such a restore count no more: who knows where they are.
  reconcile(received, covered, now, epoch = this.epoch) {
    return this.alone(async () => {
      if (epoch !== this.epoch) return 0;
      const lost = [], over = [];
      for (const [n, sent] of this.kept) {
        if (!within(received, n)) lost.push(n);
        else if (within(covered, n) || now - sent > keptFor) over.push(n);
      }
      const again = await this.storage.read('kept', lost);
      const useless = await this.#uselessSessions(new Set(over));
      if (again.length + over.length + useless.length === 0) return 0;
      await this.storage.commit([
        ...again.flatMap((e) => [['put', 'queue', e.n, { n: e.n, sealed: e.sealed, digest: e.digest, session: e.session }], ['delete', 'kept', e.n]]),
        ...over.map((n) => ['delete', 'kept', n]),
        ...useless.map((n) => ['delete', 'sessions', n]),
        ...again.length > 0 ? [['put', 'meta', 'exported', []]] : [],
      ]);
      if (again.length > 0) this.exported = [];
      for (const e of again) this.unsent.add(e.n);
      for (const n of [...lost, ...over]) this.kept.delete(n);
      for (const n of useless) this.sessions.delete(n);
      return again.length;
    });
  }

  // What happened before the last contact that came before every answer here tells nothing
  // of any. Later answers are of later sessions.
  async #uselessSessions(gone) {
    let first = Infinity;
    for (const n of this.unsent) first = Math.min(first, n);
    for (const n of this.kept.keys()) if (!gone.has(n)) first = Math.min(first, n);
    const [entry] = first === Infinity ? [] : await this.storage.read(this.unsent.has(first) ? 'queue' : 'kept', [first]);
    const list = [...this.sessions.values()], until = entry ? entry.session : Infinity;
    const contact = list.reduce((n, s) => s.anchor && s.n <= until ? Math.max(n, s.n) : n, 0);
    return list.filter((s) => s.n < contact).map((s) => s.n);
  }

  // sessionsOf are those by which the server finds out when entries were given: from the
  // contact before them to the one after.
  sessionsOf(entries) {
    if (entries.length === 0) return [];
    const list = [...this.sessions.values()].sort((a, b) => a.n - b.n), numbers = entries.map((e) => e.session);
    const first = Math.min(...numbers), last = Math.max(...numbers);
    const from = list.filter((s) => s.anchor && s.n <= first).pop(), to = list.find((s) => s.anchor && s.n >= last);
    return list.filter((s) => s.n >= (from ? from.n : 0) && s.n <= (to ? to.n : Infinity));
  }

  // export notes that answers are in a file that was handed over.
  export(numbers) {
    return this.alone(async () => {
      const there = new Set(numbers);
      const exported = ranges([...this.unsent].filter((n) => there.has(n) || within(this.exported, n)));
      await this.storage.commit([['put', 'meta', 'exported', exported]]);
      this.exported = exported;
    });
  }

  // nowhere counts the answers that are neither sent nor in a file.
  nowhere() { return [...this.unsent].filter((n) => !within(this.exported, n)).length; }

  // renew makes the database that of another tablet, which numbers its answers anew, and does
  // operations with it. Nothing may wait.
  renew(epoch, operations = []) {
    return this.alone(async () => {
      if (this.unsent.size > 0) throw new Error('answers wait');
      await this.storage.commit([
        ['put', 'meta', 'epoch', epoch], ['put', 'meta', 'next', 1], ['put', 'meta', 'abandoned', 0], ['put', 'meta', 'exported', []],
        ...[...this.kept.keys()].map((n) => ['delete', 'kept', n]), ...operations,
      ]);
      Object.assign(this, { epoch, next: 1, abandoned: 0, exported: [] });
      this.kept.clear();
    });
  }

  // nextTurn numbers the batches of an epoch upwards: a start stores a session of its own
  // before it sends anything.
  nextTurn() { return Math.max(0, ...this.sessions.keys()) * 1e6 + ++this.batches; }

  // numbers is what a batch says of the queue.
  numbers() {
    return { epoch: this.epoch, highest: this.next - 1, unsent: ranges(this.unsent), kept: ranges(this.kept.keys()) };
  }
}

// ranges writes numbers as ascending ranges [[1, 119], [135, 500]].
export function ranges(numbers) {
  const out = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = out[out.length - 1];
    if (last && n === last[1] + 1) last[1] = n;
    else if (!last || n > last[1]) out.push([n, n]);
  }
  return out;
}

export const within = (list, n) => list.some(([from, to]) => from <= n && n <= to);
