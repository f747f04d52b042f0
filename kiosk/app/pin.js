// The PIN of staff.

import { bytes, hex, random } from './seal.js';

// hashPIN is what is kept of a PIN; slow, since a PIN is short.
export async function hashPIN(pin, salt = random(16)) {
  const key = await crypto.subtle.importKey('raw', bytes(pin), 'PBKDF2', false, ['deriveBits']);
  const bits = await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: 200_000 }, key, 256);
  return { salt, hash: hex(new Uint8Array(bits)) };
}

const most = 5, pause = 60e3; // wrong tries at once, and ms to wait after them

// Lock opens with the PIN of a tablet. Wrong tries count over restarts.
export class Lock {
  // now() is the monotonic clock.
  constructor(tablet, now = () => performance.now()) {
    Object.assign(this, { tablet, now });
    this.until = 0;
    this.#pause();
  }

  #pause() {
    const { tries } = this.tablet.stored;
    this.until = tries > 0 && tries % most === 0 ? this.now() + pause : 0;
  }

  // wait is for how many ms no PIN opens.
  wait() { return Math.max(0, this.until - this.now()); }

  // open tries a PIN. A try counts before it is looked at, so that neither a restart nor two
  // tries at once save one.
  async open(pin) {
    const { stored } = this.tablet;
    if (this.wait() > 0) return false;
    await this.#count(stored.tries + 1);
    const right = (await hashPIN(pin, stored.pin.salt)).hash === stored.pin.hash;
    if (right) await this.#count(0);
    return right;
  }

  // Where the storage takes nothing staff get in even so.
  #count(tries) {
    const kept = this.tablet.keep({ tries }); // which changes what is stored at once
    this.#pause();
    return kept.catch((e) => console.warn('tries of the PIN are not kept:', e?.message));
  }
}
