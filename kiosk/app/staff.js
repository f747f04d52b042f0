// What staff do on a tablet: pair it, send now, export, take it out of service.

import { ask, fullScreen, handOver } from './browser.js';
import { exportFiles, takeReceipts } from './export.js';
import { pair } from './pairing.js';
import { Lock } from './pin.js';
import * as screens from './staff-screens.js';
import { timeout } from './sync.js';
import { running } from './tablet.js';
import { say } from './texts.js';

const thinkFor = 1500; // ms

export class Staff {
  constructor(tablet, contact, visits) { Object.assign(this, { tablet, contact, visits, lock: new Lock(tablet) }); }

  enrol(code = '') {
    const cancel = this.tablet.stored.device ? () => this.visits.home() : null;
    this.visits.show('enrol', screens.enrol({ lang: 'vi', code, onenrol: (c, pin) => this.#pair(c, pin), oncancel: cancel }));
  }

  // pair pairs, whatever is touched meanwhile, and returns what is wrong, '' for nothing.
  async #pair(code, pin) {
    const { tablet, contact, visits } = this;
    visits.mode = 'pairing';
    try {
      const wrong = await pair(tablet, code, pin, ask);
      if (wrong) return wrong;
      await tablet.look();
      visits.home();
      contact.wake();
      contact.talk();
      return '';
    } catch (e) {
      tablet.fail(e);
      return say('vi', 'staff.failed', e?.message);
    } finally {
      if (visits.mode === 'pairing') visits.mode = 'enrol';
      visits.touched();
    }
  }

  askPIN() {
    const { lock, visits } = this;
    visits.show('pin', screens.pin({
      lang: 'vi', lock, onopen: () => { if (visits.mode === 'pin') this.#menu(); }, oncancel: () => visits.home(),
    }));
  }

  #menu(said = '') {
    const { tablet, visits, tablet: { bundle, queue, stored: { device } } } = this;
    this.asked = null; // when it was asked whether to unpair
    visits.show('staff', screens.menu({ lang: 'vi', state: {
      said, device, desk: bundle ? `${bundle.desk.name.vi || ''} (${bundle.desk.id})` : device.desk,
      queued: queue.unsent.size, kept: queue.kept.size, contact: tablet.stored.contact, offset: tablet.clock.offset, status: tablet.status, volume: visits.sound.volume,
      app: running, bundle: tablet.release.now?.bundle,
    }, on: {
      sync: (tell) => this.#sync(tell),
      test: () => { visits.test(); },
      exportAnswers: () => this.#export(),
      receipts: (file) => this.#receipts(file),
      full: () => { fullScreen(); },
      pair: () => this.enrol(),
      unpair: () => this.#unpair(),
      close: () => visits.home(),
      volume: (volume) => { visits.sound.volume = volume; return tablet.keep({ volume }).then(() => visits.sound.test()); },
      sound: () => visits.sound.test(),
    } }));
  }

  // sync says that it sends, how long it has waited and how long it waits at most.
  async #sync(tell) {
    const { tablet, contact } = this, began = performance.now();
    const count = () => tell(say('vi', 'staff.syncing', Math.round((performance.now() - began) / 1000), timeout / 1000));
    count();
    const every = setInterval(count, 1000);
    try {
      await contact.meet();
      await tablet.look();
    } finally {
      clearInterval(every);
    }
    this.#again(say('vi', 'staff.synced', tablet.queue.unsent.size));
  }

  // again shows the menu anew, unless staff have left it meanwhile.
  #again(said) { if (this.visits.mode === 'staff') this.#menu(said); }

  async #export() {
    const { tablet } = this, { files, numbers } = await exportFiles(tablet);
    try {
      await handOver(files);
    } catch (e) {
      return say('vi', 'staff.export_failed', e?.message);
    }
    await tablet.queue.export(numbers).catch((e) => tablet.fail(e));
    return say('vi', 'staff.exported', numbers.length);
  }

  async #receipts(file) {
    const left = await takeReceipts(this.tablet, await file.text());
    if (left === null) return say('vi', 'staff.receipts_wrong');
    this.#again(say('vi', 'staff.settled', left));
    return say('vi', 'staff.settled', left);
  }

  async #unpair() {
    const { queue, release, storage } = this.tablet, now = performance.now(), left = queue.nowhere();
    if (left > 0) return say('vi', 'staff.unpair_left', left);
    // The second half of a double touch is no yes.
    if (this.asked === null || now - this.asked < thinkFor) {
      this.asked = now;
      return say('vi', 'staff.unpair_ask', queue.unsent.size);
    }
    await storage.destroy();
    await release.destroy();
    for (const r of await navigator.serviceWorker.getRegistrations()) await r.unregister();
    location.reload();
    return '';
  }
}
