// What time it is on a tablet whose clock may be wrong. The monotonic clock only runs; the
// wall clock may start from 1970, and may be set. A session is a stretch in which both went
// together: a start, a sleep and a clock that is set begin another. The server finds out
// from the sessions when each answer was given; here time decides only which round is open.

const jump = 2000; // by how much two clocks may part in ms and be one session
const day = 24 * 3600e3;

export class Clock {
  // read returns { mono, wall } in whole ms. last is the newest session of before, or null;
  // offset is the true time minus the wall clock as it last was; seen the latest true time
  // that was known.
  constructor(read, last, { offset = 0, seen = 0 } = {}) {
    this.read = read;
    this.offset = offset;
    this.seen = seen;
    this.number = last ? last.n : 0;
    this.session = null;
    this.shown = last ? last.wall + last.to - last.from : Infinity; // the wall clock as it last was
    this.now();
  }

  // now reads both clocks and begins a session where they parted.
  now() {
    const { mono, wall } = this.read();
    const s = this.session;
    if (!s || Math.abs(wall - mono - (s.wall - s.from)) > jump) {
      // Who has set a clock that was days behind has made the old offset wrong.
      if (this.offset > day && wall >= this.seen && wall - this.shown > this.offset - 600e3) this.offset = 0;
      this.session = { n: ++this.number, from: mono, to: mono, wall, anchor: null };
    } else {
      s.to = mono;
    }
    this.shown = wall;
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
    this.offset = time + now.mono - mono - now.wall;
    this.seen = time;
  }

  // time is what time it is, as well as that is known: Unix ms.
  time() {
    const { mono, wall } = this.now();
    const a = this.session.anchor;
    if (a) return a.time + mono - a.mono;
    // Who has set the clock since has made the old offset wrong.
    return wall + this.offset < this.seen && wall >= this.seen ? wall : wall + this.offset;
  }

  // wrong: the wall clock is before a day ("2026-11-24") on which the service already was,
  // and no contact has said better.
  wrong(since) {
    return !this.session.anchor && this.now().wall < Date.parse(since + 'T00:00:00+07:00');
  }
}

// dayOf is the day in Vietnam, "2026-11-24".
export const dayOf = (time) => new Date(time + 7 * 3600e3).toISOString().slice(0, 10);
