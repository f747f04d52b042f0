// The program on a tablet starts here. The tablet (tablet.js) is what everything works on:
// visits (visits.js) fill it with answers, contact (contact.js) takes them to the server,
// staff (staff.js) look after it.

import { ask, base, missing, stayAwake, takeCode } from './browser.js';
import { Contact } from './contact.js';
import { show } from './dom.js';
import { problem } from './screens.js';
import { Staff } from './staff.js';
import { isFull } from './storage.js';
import { running, Tablet } from './tablet.js';
import { Visits } from './visits.js';

const openAgain = 15e3; // ms
const readFor = 20e3; // ms, for who has to read that an answer was not stored

// opened is the tablet, once its storage can be read: a disk that is full to its end, or that
// the browser fails to read, may let it be later.
async function opened() {
  for (;;) {
    try {
      return await Tablet.open();
    } catch (e) {
      if (!(e instanceof DOMException)) throw e;
      console.error('start', e.name, e.message);
      show(problem({ kind: isFull(e) ? 'full' : 'stopped' }));
      await new Promise((resolve) => { setTimeout(resolve, openAgain); });
    }
  }
}

async function start() {
  const tablet = await opened();
  const contact = new Contact(tablet, ask);
  const visits = new Visits(tablet, () => staff.askPIN());
  const staff = new Staff(tablet, contact, visits);
  tablet.worker = Boolean(navigator.serviceWorker.controller);
  navigator.serviceWorker.ready.then(() => {
    tablet.worker = true;
    tablet.changed();
  });
  visits.watch();
  window.addEventListener('contextmenu', (e) => e.preventDefault());
  window.addEventListener('online', () => { setTimeout(() => contact.wake(), 5000 * Math.random()); });
  window.addEventListener('hashchange', () => {
    const code = takeCode();
    if (code && !['visit', 'thanks', 'pairing'].includes(visits.mode)) staff.enrol(code);
  });
  document.addEventListener('visibilitychange', stayAwake);
  stayAwake();
  const code = takeCode();
  if (tablet.stored.device) {
    visits.home();
    if (code) staff.enrol(code); // a forgotten PIN: whoever can open addresses is not locked into the survey
    if (tablet.release.now?.app === running) await tablet.release.prove().catch((e) => console.warn('not proven:', e?.message));
    // A reload follows a visit at times: its moment must not show on the network.
    setTimeout(() => contact.talk(), tablet.bundle ? 60e3 * Math.random() : 0);
  } else {
    staff.enrol(code);
  }
  setInterval(async () => {
    if (performance.now() - visits.lost < readFor) return;
    await tablet.look();
    if (tablet.replaced && visits.mode === 'attract') location.reload();
  }, 60e3);
}

async function main() {
  if (!window.isSecureContext) return show(problem({ kind: 'insecure' }));
  const lacking = missing();
  if (lacking.length > 0) return show(problem({ kind: 'browser', details: [lacking.join(', ')] }));
  // Without network the one that is installed goes on.
  navigator.serviceWorker.register(base + '/kiosk/sw.js', { scope: base + '/kiosk', updateViaCache: 'none' }).catch((e) => console.warn('service worker:', e?.message));
  const waits = setTimeout(() => show(problem({ kind: 'second' })), 500);
  // One tab alone writes; the lock ends with the page.
  await navigator.locks.request('sipas-kiosk', async () => {
    clearTimeout(waits);
    await start();
    await new Promise(() => {});
  });
}

main().catch((e) => {
  console.error('start', e?.name, e?.message);
  show(problem({ kind: 'stopped' }));
  setTimeout(() => location.reload(), 60e3);
});
