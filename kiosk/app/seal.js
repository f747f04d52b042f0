// What a tablet proves, and what it hides: answers are sealed to the server (HPKE, RFC
// 9180, base mode, P-256), so that who takes the tablet away reads nothing; receipts and
// answers of the server are checked under the tablet's key. kiosk/PROTOCOL.md has it all.

const subtle = globalThis.crypto.subtle;
const utf8 = new TextEncoder();

export const bytes = (text) => utf8.encode(text);
export const random = (n) => globalThis.crypto.getRandomValues(new Uint8Array(n));
export const hex = (b) => Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('');
export const sha256 = async (b) => new Uint8Array(await subtle.digest('SHA-256', b));

export function join(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

export function base64(b) {
  let s = '';
  for (let i = 0; i < b.length; i += 0x8000) s += String.fromCharCode(...b.subarray(i, i + 0x8000));
  return btoa(s);
}
export const base64url = (b) => base64(b).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
export const unbase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

async function hmac(key, data) {
  const k = await subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await subtle.sign('HMAC', k, data));
}

// HKDF (RFC 5869) with the labels of HPKE. A length of at most 32 bytes is one block.
const label = (suite, name) => join(bytes('HPKE-v1'), suite, bytes(name));
const extract = (suite, salt, name, input) => hmac(salt.length ? salt : new Uint8Array(32), join(label(suite, name), input));
async function expand(suite, key, name, info, length) {
  const block = await hmac(key, join(new Uint8Array([length >> 8, length & 255]), label(suite, name), info, new Uint8Array([1])));
  return block.subarray(0, length);
}
const none = new Uint8Array(0);
const kem = join(bytes('KEM'), new Uint8Array([0, 0x10]));
const hpke = join(bytes('HPKE'), new Uint8Array([0, 0x10, 0, 1, 0, 2]));

export const forAnswer = 'sipas kiosk answer 1';
export const forExport = 'sipas kiosk export 1';

// seal encrypts text for the server's public key (65 bytes) and one purpose.
export async function seal(publicKey, purpose, text) {
  const curve = { name: 'ECDH', namedCurve: 'P-256' };
  const theirs = await subtle.importKey('raw', publicKey, curve, false, []);
  const mine = await subtle.generateKey(curve, false, ['deriveBits']);
  const encapsulated = new Uint8Array(await subtle.exportKey('raw', mine.publicKey));
  const shared = new Uint8Array(await subtle.deriveBits({ name: 'ECDH', public: theirs }, mine.privateKey, 256));
  const secret = await expand(kem, await extract(kem, none, 'eae_prk', shared), 'shared_secret', join(encapsulated, publicKey), 32);
  const context = join(new Uint8Array([0]), await extract(hpke, none, 'psk_id_hash', none), await extract(hpke, none, 'info_hash', bytes(purpose)));
  const schedule = await extract(hpke, secret, 'secret', none);
  const key = await subtle.importKey('raw', await expand(hpke, schedule, 'key', context, 32), 'AES-GCM', false, ['encrypt']);
  const iv = await expand(hpke, schedule, 'base_nonce', context, 12);
  return join(encapsulated, new Uint8Array(await subtle.encrypt({ name: 'AES-GCM', iv }, key, text)));
}

// signer makes the proofs under a tablet's key: the server knows only its SHA-256.
export async function signer(key) {
  const hash = await sha256(key);
  const sign = async (...parts) => base64url(await hmac(hash, bytes(parts.join(''))));
  return {
    bearer: base64url(key),
    hash: hex(hash),
    receipt: (digest, outcome) => sign('sipas receipt 1\n', digest, '\n', outcome),
    answer: (nonce, text) => sign('sipas answer 1\n', nonce, '\n', text),
    exported: (text) => sign('sipas export 1\n', text),
  };
}

const hour = 3600e3;

// newID mints a UUID of version 7 whose time is the hour of now (Unix milliseconds).
export function newID(now, draw = random) {
  const b = draw(16);
  const at = Math.floor(now / hour) * hour;
  for (let i = 0; i < 6; i++) b[i] = Math.floor(at / 2 ** (8 * (5 - i))) & 255;
  b[6] = 0x70 | b[6] & 0x0f;
  b[8] = 0x80 | b[8] & 0x3f;
  return hex(b).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

// newReceipt makes a withdrawal code: 15 random characters and a check (Luhn modulo 32).
export function newReceipt(draw = random) {
  const s = Array.from(draw(15), (x) => alphabet[x & 31]).join('');
  let sum = 0;
  for (let i = s.length - 1, factor = 2; i >= 0; i--, factor = 3 - factor) {
    const v = alphabet.indexOf(s[i]) * factor;
    sum += Math.floor(v / 32) + v % 32;
  }
  return s + alphabet[(32 - sum % 32) % 32];
}

export const grouped = (code) => code.match(/.{1,4}/g).join('-');
