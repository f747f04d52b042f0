// A finished answer, from what a person said to a sealed entry on the disk.

import { bytes, forAnswer, hex, seal, sha256, unbase64 } from './seal.js';
import { submission } from './survey.js';

// store puts the answer of a visit, with its withdrawal code, into the queue; it is durable
// when that resolves. When it throws, nothing was stored.
export async function store(visit, code, clock, queue, pause = 300) {
  const at = clock.now(), session = clock.record();
  const item = JSON.stringify({ ...submission(visit, at.mono), receipt: hex(await sha256(bytes(code))), ...at });
  // Sealed texts have few lengths: else they would tell how much was said.
  const size = bytes(item).length;
  const text = item + ' '.repeat(Math.ceil(size / 512) * 512 - size);
  const sealed = await seal(unbase64(visit.bundle.seal), forAnswer, bytes(text));
  const digest = hex(await sha256(sealed));
  for (let tries = 1; ; tries++) {
    try {
      return await queue.add(sealed, digest, session);
    } catch (e) {
      if (tries === 3) throw e;
      await new Promise((resolve) => { setTimeout(resolve, pause); });
    }
  }
}
