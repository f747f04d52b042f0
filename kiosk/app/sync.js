// Contact with the server: a batch goes out, a signed answer comes back, and only what is
// signed changes anything. When it runs depends on the timer alone and not on answers, so
// that who watches the network learns nothing of when somebody answered.

import { base64, base64url, random } from './seal.js';

const maxItems = 200;
const maxBytes = 1 << 20; // of sealed answers
export const timeout = 60e3; // of a batch, in ms
const least = 5e3, most = 600e3; // of waiting after a failure, in ms

// Failure says why a contact failed: offline (nothing came back), stranger (something
// answered that is not the server: the sign-in page of a network, perhaps), refused (the
// key is not known), server (it cannot now, or too much came to it).
export class Failure extends Error {
  constructor(kind, detail) {
    super(kind + ': ' + detail);
    this.kind = kind;
  }
}

export class Sync {
  // queue and clock of the tablet; proofs as seal.signer makes them; tell() returns
  // { app, bundle, status }; fetch is the browser's, from a path of the service on.
  constructor({ queue, clock, proofs, tell, fetch }) {
    Object.assign(this, { queue, clock, proofs, tell, fetch });
    this.limit = maxItems;
    this.after = 0;
    this.failures = 0;
  }

  // once sends a batch and takes up the answer, which it returns with more: whether another
  // batch should follow at once. It throws a Failure.
  async once() {
    const entries = await this.queue.take(this.limit, maxBytes, this.after);
    const { app, bundle, status } = await this.tell(), { epoch } = this.queue;
    const at = this.clock.now();
    const nonce = base64url(random(18));
    const batch = {
      turn: this.queue.nextTurn(), nonce, ...this.queue.numbers(), app, bundle,
      session: at.session, mono: at.mono, wall: at.wall,
      sessions: [...this.queue.sessionsOf(entries).filter((s) => s.n !== at.session), this.clock.record()],
      status, items: entries.map((e) => ({ n: e.n, sealed: base64(e.sealed) })),
    };
    const text = await this.#post(JSON.stringify(batch));
    const answer = await this.#read(text, nonce);
    const back = this.clock.now();
    this.clock.learn(at.session, Math.round((at.mono + back.mono) / 2), answer.time);
    if (answer.revoked) return { ...answer, more: false };
    // What a backup covers makes room, without which nothing could be moved.
    await this.queue.reconcile(answer.received || [], answer.covered || [], answer.time, epoch);
    const left = await this.queue.settle(answer.receipts || [], async (e, r) => r.receipt === await this.proofs.receipt(e.digest, r.outcome), answer.time, epoch);
    await this.queue.note(this.clock.record());
    this.limit = Math.min(maxItems, this.limit * 2);
    this.after = entries.length > 0 ? entries[entries.length - 1].n : 0;
    return { ...answer, more: left > 0 && this.queue.unsent.size > 0 };
  }

  async #post(body) {
    let response, text;
    try {
      response = await this.fetch('/api/v1/kiosk/sync', {
        method: 'POST', body, cache: 'no-store', credentials: 'omit', redirect: 'error', signal: AbortSignal.timeout(timeout),
        headers: { 'Content-Type': 'application/json', Authorization: 'Bearer ' + this.proofs.bearer },
      });
      text = await response.text();
    } catch (e) {
      // A weak network may carry less; and who refuses a large body may close before it
      // was read.
      this.limit = Math.ceil(this.limit / 2);
      throw new Failure('offline', e.message);
    }
    if (response.ok) return text;
    const { status } = response;
    if (status === 429 || status >= 500) throw new Failure('server', 'status ' + status);
    // Nothing of it is signed. Should a batch be at fault, smaller ones find the answer
    // that is, and go on behind it.
    if (status >= 400) this.#narrow();
    throw new Failure(status === 401 ? 'refused' : 'stranger', 'status ' + status);
  }

  #narrow() {
    if (this.limit > 1) {
      this.limit = Math.ceil(this.limit / 2);
      return;
    }
    const next = [...this.queue.unsent].filter((n) => n > this.after);
    this.after = next.length > 0 ? Math.min(...next) : 0;
  }

  async #read(text, nonce) {
    let answer;
    try {
      const signed = JSON.parse(text);
      if (signed.mac !== await this.proofs.answer(nonce, signed.answer)) throw new Error('the signature is wrong');
      answer = JSON.parse(signed.answer);
    } catch (e) {
      throw new Failure('stranger', e.message);
    }
    if (answer.nonce !== nonce) throw new Failure('stranger', 'an old answer');
    return answer;
  }

  // pause is for how many ms to wait after a contact; draw gives a number from 0 to 1.
  pause(failed, draw = Math.random) {
    if (!failed) {
      this.failures = 0;
      return (1 + 4 * draw()) * 60e3;
    }
    return least + draw() * Math.min(most, least * 2 ** this.failures++);
  }
}
