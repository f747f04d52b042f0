// What time it is on a tablet whose clock may be wrong. The monotonic clock only runs; the
// wall clock may start from 1970, and may be set. A session is a stretch in which both went
// together: a start, a sleep and a clock that is set begin another. The server finds out
// from the sessions when each answer was given; here time decides only which round is open.

const jump = 2000; // by how much two clocks may part in ms and be one session
const day = 24 * 3600e3;
const away = 7 * day; // for how long a tablet may have been off without anybody doubting its clock

export class Clock {
  // read returns { mono, wall, rests } in whole ms; rests counts how often the page was hidden or
  // frozen, and is NaN while it is: a monotonic clock may stand meanwhile. last is the newest
  // session of before, or null; offset is the true time minus the wall clock as it last was; seen
  // the latest true time that was known, end the latest that is likely (see lastLikely).
  constructor(read, last, { offset = 0, seen = 0, end = seen } = {}) {
    this.read = read;
    this.offset = offset;
    this.seen = seen;
    this.end = end;
    this.number = last ? last.n : 0;
    this.session = null;
    this.ran = null; // a time that was known when somebody set the clock, and when that was
    this.shown = last ? last.wall + last.to - last.from : Infinity; // the wall clock as it last was
    this.now();
  }

  // now reads both clocks and begins a session where they parted.
  now() {
    const { mono, wall, rests } = this.read();
    const s = this.session;
    if (!s || Math.abs(wall - mono - (s.wall - s.from)) > jump) {
      // Where the page ran on, somebody has set the clock, and the monotonic one still tells the
      // time, if it was known.
      const known = s && rests === this.rests && (s.anchor || this.ran || !this.leap && this.seen > 0 && this.shown >= this.seen);
      this.ran = known ? { mono, time: this.#timeAt(mono, this.shown + mono - s.to) } : null;
      // Who has set a clock that was days behind has made the old offset wrong.
      if (this.offset > day && wall >= this.seen && wall - this.shown > this.offset - 600e3) this.offset = 0;
      this.session = { n: ++this.number, from: mono, to: mono, wall, anchor: null };
      if (s && !this.leap) this.end = lastLikely([s], this);
      this.leap = leaps(this.session, this.offset, this.end);
    } else {
      s.to = mono;
    }
    this.shown = wall;
    this.rests = rests;
    return { session: this.session.n, mono, wall };
  }

  // record is the session as it is stored and sent.
  record() {
    const { n, from, to, wall, anchor } = this.session;
    return anchor ? { n, from, to, wall, anchor } : { n, from, to, wall };
  }

  // learn takes up the server's time, which held at a monotonic moment of a session.
  learn(session, mono, time) {
    const now = this.now();
    if (session !== now.session) return;
    this.session.anchor = { mono, time };
    this.ran = null;
    this.offset = time + now.mono - mono - now.wall;
    this.seen = this.end = time;
    this.leap = false;
  }

  // time is what time it is, as well as that is known: Unix ms.
  time() {
    const { mono, wall } = this.now();
    return this.#timeAt(mono, wall);
  }

  #timeAt(mono, wall) {
    const a = this.session.anchor || this.ran;
    if (a) return a.time + mono - a.mono;
    // Who has set the clock since has made the old offset wrong.
    return wall + this.offset < this.seen && wall >= this.seen ? wall : wall + this.offset;
  }

  // wrong: no contact has said what time it is since the wall clock was set while the program
  // ran, by more than a day; or it is before a day ("2026-11-24") on which the service already was.
  wrong(since) {
    const time = this.time(), { wall } = this.now();
    if (this.session.anchor) return false;
    if (this.ran) return Math.abs(wall - time) > day && Math.abs(wall + this.offset - time) > day;
    return wall < Date.parse(since + 'T00:00:00+07:00');
  }

  // doubtful: between what is known and this session lies longer than a tablet is off at a time.
  // It was off for so long, or its clock was set ahead; which of them a contact will say.
  doubtful() {
    this.now();
    return !this.session.anchor && !this.ran && this.leap;
  }
}

// lastLikely is the latest time that sessions since the last contact make likely: up to the one
// before which the clock went on for longer than a tablet is off.
export function lastLikely(sessions, { offset = 0, seen = 0, end = seen } = {}) {
  const since = sessions.reduce((n, s) => (s.anchor ? s.n : n), -1);
  for (const s of sessions.filter(({ n }) => n >= since)) if (!leaps(s, offset, end)) end = Math.max(end, from(s, offset) + s.to - s.from);
  return end;
}

const from = (session, offset) => Math.min(session.wall, session.wall + offset);
const leaps = (session, offset, end) => from(session, offset) - end > away;

// Rest tells sleep from a clock that is set, by read of Clock.
export class Rest {
  constructor(read) {
    this.read = read;
    this.last = read();
  }

  // past is for how many ms the page was away since it was last asked, 0 where it ran on.
  past() {
    const { last } = this, now = this.last = this.read();
    return now.rests === last.rests ? 0 : Math.max(now.mono - last.mono, now.wall - last.wall);
  }
}

// dayOf is the day in Vietnam, "2026-11-24".
export const dayOf = (time) => new Date(time + 7 * 3600e3).toISOString().slice(0, 10);
