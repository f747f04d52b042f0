// Answers as files, for a tablet that cannot send, and what the server says of them. See
// kiosk/PROTOCOL.md, "Export".

import { base64, base64url, bytes, forExport, random, seal, signer, unbase64 } from './seal.js';

const most = 20_000, size = 20 << 20; // answers in a file, and bytes of them

// exportFiles hands the queue over as files that only the server reads; numbers are those
// of the answers in them. Everything stays in the queue until a receipt comes.
export async function exportFiles(tablet) {
  const { queue } = tablet, proofs = await signer(tablet.stored.device.key);
  const files = [], numbers = [], highest = [...queue.unsent].reduce((a, b) => Math.max(a, b), 0);
  let last = 0;
  do {
    const entries = await queue.take(most, size, last);
    if (last > 0 && !(entries[0]?.n > last)) break; // sent meanwhile
    files.push(await fileOf(tablet, proofs, entries, files.length + 1));
    numbers.push(...entries.map((e) => e.n));
    last = entries.length > 0 ? entries[entries.length - 1].n : highest;
  } while (last < highest);
  return { files, numbers };
}

async function fileOf(tablet, proofs, entries, number) {
  const { queue, clock, stored: { device } } = tablet;
  const batch = JSON.stringify({
    turn: 0, nonce: base64url(random(18)), ...queue.numbers(), ...tablet.tell(), ...clock.now(),
    sessions: queue.sessionsOf(entries), items: entries.map((e) => ({ n: e.n, sealed: base64(e.sealed) })),
  });
  const text = JSON.stringify({ batch, mac: await proofs.exported(batch) });
  const sealed = await seal(unbase64(tablet.bundle.seal), forExport, bytes(text));
  const file = JSON.stringify({ sipas_kiosk_export: 1, device: device.id, sealed: base64(sealed) });
  const [day, hour, minute] = new Date(clock.time() + 7 * 3600e3).toISOString().split(/[T:]/); // in Vietnam
  return new File([file], `sipas-${device.id}-${day}-${hour}h${minute}-${number}.json`, { type: 'application/json' });
}

// takeReceipts reads what the server said of an exported file, and returns how many answers
// left the queue, or null when it is no such text.
export async function takeReceipts(tablet, text) {
  const { queue, clock, stored: { device } } = tablet;
  let receipts;
  try {
    ({ receipts } = JSON.parse(text));
  } catch { /* none */ }
  if (!Array.isArray(receipts)) return null;
  const proofs = await signer(device.key);
  return queue.settle(receipts, async (e, r) => r.receipt === await proofs.receipt(e.digest, r.outcome), Math.max(clock.time(), clock.seen));
}
