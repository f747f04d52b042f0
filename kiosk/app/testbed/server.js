// A small server of tablets: it stores answers by their digest and signs receipts.

import { ranges } from '../queue.js';
import { hex, random, sha256, unbase64 } from '../seal.js';

export class Server {
  // proofs are those of the one tablet that it knows; now gives its time.
  constructor(proofs, now) {
    Object.assign(this, { proofs, now });
    this.stored = new Map(); // digest → how often it was stored as new
    this.received = new Map(); // epoch → Map of number → digest
    this.covered = new Map(); // epoch → ranges
    this.turns = []; // of all batches
    this.receipted = new Set(); // digests, at any time
    this.used = new Map(); // epoch and number → digest, at any time
    this.outcome = () => 'stored'; // of an entry; '' for one that fails
    this.backup();
  }

  // backup takes a state to which restore returns. verify covers what is in it.
  backup() { this.kept = structuredClone({ stored: this.stored, received: this.received, covered: this.covered }); }
  restore() { Object.assign(this, structuredClone(this.kept)); }
  verify() { for (const [epoch, numbers] of this.kept.received) this.covered.set(epoch, ranges(numbers.keys())); }

  // handle takes a batch and returns the text of the signed answer.
  async handle(text, change = (answer) => answer) {
    const batch = JSON.parse(text);
    this.turns.push(batch.turn);
    const received = this.received.get(batch.epoch) || new Map();
    this.received.set(batch.epoch, received);
    const receipts = [];
    for (const { n, sealed } of batch.items) {
      const digest = hex(await sha256(unbase64(sealed)));
      const key = batch.epoch + n;
      if (this.used.has(key) && this.used.get(key) !== digest) throw new Error(`number ${n} was used for another answer`);
      this.used.set(key, digest);
      const outcome = this.outcome(n);
      if (!outcome) continue;
      if (!this.stored.has(digest)) this.stored.set(digest, n);
      if (this.stored.get(digest) !== n) throw new Error(`an answer came as number ${n} and as ${this.stored.get(digest)}`);
      received.set(n, digest);
      this.receipted.add(digest);
      receipts.push({ n, outcome, receipt: await this.proofs.receipt(digest, outcome) });
    }
    const answer = JSON.stringify(change({
      nonce: batch.nonce, time: this.now(), revoked: false, name: 'Máy 1', desk: 'Q1', message: '', receipts,
      received: ranges(received.keys()), covered: this.covered.get(batch.epoch) || [], bundle: '',
    }));
    return JSON.stringify({ answer, mac: await this.proofs.answer(batch.nonce, answer) });
  }
}

// reply is what fetch gives for a text.
export const reply = (text, status = 200) => ({ ok: status >= 200 && status < 300, status, text: async () => text });

export const newEpoch = () => hex(random(16));
