// The service worker: it serves the release that the pointer in the database sipas-shell
// names (see update.js), with or without network. It knows no version of its own, fetches
// nothing and decides one thing: a program that was loaded three times and never came to
// life is given up for the one before. Where it has neither a release that can be read nor a
// network it shows a page of its own, which tries again.
'use strict';

const tries = 3;
const base = self.location.pathname.slice(0, -'/kiosk/sw.js'.length); // as in browser.js

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== 'GET' || url.origin !== self.location.origin) return;
  if (event.request.mode === 'navigate' && (url.pathname === base + '/kiosk' || url.pathname === base + '/kiosk/')) {
    event.respondWith(page(event.request));
  } else if (url.pathname.startsWith(base + '/kiosk/')) {
    const file = /^\/kiosk\/([0-9a-f]+)\/([a-z0-9.-]+)$/.exec(url.pathname.slice(base.length));
    if (file) event.respondWith(stored(`app/${file[1]}/${file[2]}`, event.request));
  }
});

// page puts the addresses of the place where it lies into the page of a release, which has
// those of the root. Releases made before there were such places find nothing anywhere else.
async function page(request) {
  try {
    const release = await load(), file = release && await read('files', `app/${release.app}/index.html`);
    const html = file && new TextDecoder().decode(file.body);
    if (html && (base === '' || html.includes('data-movable'))) return answer(file, html.replaceAll('"/kiosk/', `"${base}/kiosk/`));
  } catch (e) { /* the network has it, perhaps */ }
  try {
    return await fetch(request);
  } catch (e) {
    return answer({ type: 'text/html; charset=utf-8' }, waiting);
  }
}

// What stands where nothing can be read; it loads itself again.
const waiting = `<!DOCTYPE html>
<html lang="vi"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta http-equiv="refresh" content="10"><title>SIPAS</title></head>
<body><main data-problem="waiting"><h1>Máy chưa mở được phiếu khảo sát</h1>
<p>Xin Ông/Bà trả lời bằng mã QR tại quầy hoặc phiếu giấy. Trang này tự thử lại.</p>
<p>Cán bộ: bộ nhớ của máy có thể đã đầy. Xóa bớt ảnh, tệp tải xuống, ứng dụng và nối mạng cho máy. Không xóa dữ liệu trình duyệt: phiếu chưa gửi nằm trong đó.</p>
<section lang="en"><h2>The survey cannot be opened on this tablet yet</h2>
<p>Please answer by the QR code at the desk or on paper. This page tries again by itself.</p>
<p>Staff: the tablet's storage may be full. Remove pictures, downloads and apps, and connect the tablet. Do not clear browser data: answers not yet sent are in it.</p></section></main></body></html>`;

async function stored(key, request) {
  const file = await read('files', key).catch(() => null);
  return file ? answer(file, file.body) : fetch(request);
}

// A connection that the browser has closed is opened again, once.
async function read(set, key) {
  const get = async () => wait((await open()).transaction(set, 'readonly').objectStore(set).get(key));
  return get().catch(() => { opened = null; return get(); });
}

const answer = (file, body) => new Response(body, { headers: { 'Content-Type': file.type, 'Content-Security-Policy': policy } });

const policy = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// load counts a start of the program and returns the release to serve. One that cannot be
// counted, for want of room, is served all the same.
async function load() {
  return count().catch(() => read('release', 'now'));
}

async function count() {
  const t = (await open()).transaction('release', 'readwrite'), set = t.objectStore('release');
  const written = new Promise((resolve, reject) => { t.oncomplete = resolve; t.onabort = () => reject(t.error); });
  let now = await wait(set.get('now'));
  if (now && !now.proven) {
    now = now.loads < tries || !now.previous ? { ...now, loads: now.loads + 1 }
      : { ...now.previous, previous: null, loads: 0, proven: true, bad: [...now.bad, now.app] };
    set.put(now, 'now');
  }
  await written;
  return now;
}

let opened;
function open() {
  opened ||= new Promise((resolve, reject) => {
    const request = indexedDB.open('sipas-shell', 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('files');
      request.result.createObjectStore('release');
    };
    request.onerror = () => { opened = null; reject(request.error); };
    request.onsuccess = () => {
      request.result.onversionchange = () => { request.result.close(); opened = null; };
      request.result.onclose = () => { opened = null; };
      resolve(request.result);
    };
  });
  return opened;
}

function wait(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
