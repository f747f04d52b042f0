// Pairing: the tablet becomes the device that a code names. See kiosk/PROTOCOL.md, "Enrolment".

import { random, signer } from './seal.js';
import { hashPIN } from './pin.js';
import { say } from './texts.js';

// pair returns '' or what is wrong, as text. The key is made and stored before it is used:
// when the answer is lost, the same key asks again.
export async function pair(tablet, code, pin, fetch) {
  const { queue, stored } = tablet, asked = Boolean(stored.pairing);
  const key = stored.pairing || random(32);
  await tablet.keep({ pairing: key });
  let response, device;
  try {
    response = await fetch('/api/v1/kiosk/enrol', {
      method: 'POST', cache: 'no-store', credentials: 'omit', redirect: 'error', headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ code, key_sha256: (await signer(key)).hash }), signal: AbortSignal.timeout(30e3),
    });
    device = await response.json();
  } catch {
    return say('vi', 'enrol.offline');
  }
  if (!response.ok || !device?.device) {
    if (response.status === 404) {
      await tablet.keep({ pairing: null });
      // A key from before may be that of another device, and the code good.
      if (asked) return pair(tablet, code, pin, fetch);
    }
    return say('vi', response.status === 429 ? 'enrol.busy' : response.status >= 500 ? 'enrol.offline' : 'enrol.wrong');
  }
  const other = Boolean(stored.device && stored.device.id !== device.device);
  if (other && queue.unsent.size > 0) {
    await tablet.keep({ pairing: null });
    return say('vi', 'enrol.other', device.name, queue.unsent.size, stored.device.name);
  }
  const { device: id, name, desk } = device;
  await tablet.become({ device: { id, name, desk, key }, pin: await hashPIN(pin), tries: 0, revoked: false, pairing: null }, other);
  return '';
}
