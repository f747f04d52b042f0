// A finished answer, from what a person said to a sealed entry on the disk.

import { bytes, forAnswer, hex, newReceipt, seal, sha256, unbase64 } from './seal.js';
import { submission } from './survey.js';

// store puts the answer of a visit into the queue, and returns its withdrawal code once it
// is durable. When it throws, nothing was stored.
export async function store(visit, clock, queue, pause = 300) {
  const code = newReceipt(), at = clock.now(), session = clock.record();
  const item = JSON.stringify({ ...submission(visit, at.mono), receipt: hex(await sha256(bytes(code))), ...at });
  // Sealed texts have few lengths: else they would tell how much was said.
  const size = bytes(item).length;
  const text = item + ' '.repeat(Math.ceil(size / 512) * 512 - size);
  const sealed = await seal(unbase64(visit.bundle.seal), forAnswer, bytes(text));
  const digest = hex(await sha256(sealed));
  for (let tries = 1; ; tries++) {
    try {
      await queue.add(sealed, digest, session);
      return code;
    } catch (e) {
      if (tries === 3) throw e;
      await new Promise((resolve) => { setTimeout(resolve, pause); });
    }
  }
}
