// The service worker: it serves the release that the pointer in the database sipas-shell
// names (see update.js), with or without network. It knows no version of its own, fetches
// nothing and decides one thing: a program that was loaded three times and never came to
// life is given up for the one before.
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
    const release = await load(), file = release && await read(`app/${release.app}/index.html`);
    const html = file && new TextDecoder().decode(file.body);
    if (html && (base === '' || html.includes('data-movable'))) return answer(file, html.replaceAll('"/kiosk/', `"${base}/kiosk/`));
  } catch (e) { /* the network has it, perhaps */ }
  return fetch(request);
}

async function stored(key, request) {
  const file = await read(key);
  return file ? answer(file, file.body) : fetch(request);
}

async function read(key) {
  const db = await open();
  return wait(db.transaction('files', 'readonly').objectStore('files').get(key));
}

const answer = (file, body) => new Response(body, { headers: { 'Content-Type': file.type, 'Content-Security-Policy': policy } });

const policy = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// load counts a start of the program and returns the release to serve.
async function load() {
  const db = await open();
  const t = db.transaction('release', 'readwrite');
  const set = t.objectStore('release');
  let now = await wait(set.get('now'));
  if (now && !now.proven) {
    now = now.loads < tries || !now.previous ? { ...now, loads: now.loads + 1 }
      : { ...now.previous, previous: null, loads: 0, proven: true, bad: [...now.bad, now.app] };
    set.put(now, 'now');
  }
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
