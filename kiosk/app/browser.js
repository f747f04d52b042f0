// What the tablet wants of its browser beside storage and network.

// The service lies two folders above a release: at the root of its host, or below a path of
// it. base is that path, '' for the root; the program knows the service's own paths alone.
export const base = new URL('../..', import.meta.url).pathname.slice(0, -1);

// ask fetches a path of the service.
export const ask = (path, options) => fetch(base + path, options);

// missing lists what the browser cannot do and the tablet needs.
export function missing() {
  const needed = {
    'Web Locks': navigator.locks, 'Service Worker': navigator.serviceWorker, 'Web Crypto': globalThis.crypto?.subtle, IndexedDB: globalThis.indexedDB,
    'AbortSignal.timeout': AbortSignal.timeout, dialog: globalThis.HTMLDialogElement, 'StorageManager': navigator.storage?.persist,
  };
  return Object.keys(needed).filter((name) => !needed[name]);
}

// takeCode reads the pairing code with which a QR code opened the page, and takes it out of
// the address.
export function takeCode() {
  const code = location.hash.slice(1);
  if (code) history.replaceState(null, '', location.pathname);
  return code;
}

// watchRests returns how often the page was hidden or frozen, NaN while it is hidden.
export function watchRests() {
  let rests = 0;
  const count = () => { rests++; };
  for (const event of ['visibilitychange', 'freeze', 'resume']) document.addEventListener(event, count);
  return () => (document.visibilityState === 'hidden' ? NaN : rests);
}

let light; // held for as long as the page is seen

// stayAwake keeps the light on.
export async function stayAwake() {
  if (document.visibilityState !== 'visible') return;
  try { light = await navigator.wakeLock?.request('screen'); } catch { /* the system decides, SETUP.md says how */ }
}

export function fullScreen() {
  if (document.fullscreenElement || matchMedia('(display-mode: fullscreen), (display-mode: standalone)').matches) return;
  document.documentElement.requestFullscreen?.({ navigationUI: 'hide' }).catch(() => { /* the system decides */ });
}

// handOver saves files, or shares them where a browser cannot save (an installed app on an iPad).
export async function handOver(files) {
  if (navigator.canShare?.({ files }) && !('onbeforeinstallprompt' in window)) await navigator.share({ files });
  else for (const f of files) save(f);
}

function save(file) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60e3);
}
