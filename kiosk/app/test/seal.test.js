import assert from 'node:assert/strict';
import test from 'node:test';
import { createECDH, createHmac } from 'node:crypto';
import { base64url, bytes, forAnswer, grouped, hex, join, newID, newReceipt, random, seal, sha256, signer } from '../seal.js';

test('ids are UUIDs of version 7 with a whole hour', () => {
  const seen = new Set();
  for (const now of [Date.UTC(2026, 10, 24, 3, 20, 15, 123), Date.UTC(2026, 10, 24, 3), Date.UTC(2026, 10, 24, 3, 59, 59, 999), 0, 1, 2 ** 45]) {
    for (let i = 0; i < 200; i++) {
      const id = newID(now);
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      const time = parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
      assert.equal(time, Math.floor(now / 3600e3) * 3600e3);
      seen.add(id);
    }
  }
  assert.equal(seen.size, 1200);
  assert.equal(newID(Date.UTC(2026, 10, 24, 3, 20), () => new Uint8Array(16).fill(0xff)), '01a20b7e-f780-7fff-bfff-ffffffffffff');
});

// Luhn modulo 32 catches every single wrong character.
test('receipts have a check character', () => {
  const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  const check = (code) => {
    let sum = 0;
    [...code].reverse().forEach((c, i) => {
      const v = alphabet.indexOf(c) * (1 + i % 2);
      sum += Math.floor(v / 32) + v % 32;
    });
    return sum % 32;
  };
  for (let i = 0; i < 500; i++) {
    const code = newReceipt();
    assert.match(code, /^[0-9A-HJKMNP-TV-Z]{16}$/);
    assert.equal(check(code), 0);
    const at = i % 16, other = alphabet[(alphabet.indexOf(code[at]) + 1 + i % 31) % 32];
    assert.notEqual(check(code.slice(0, at) + other + code.slice(at + 1)), 0);
  }
  assert.equal(grouped('0123456789ABCDEF'), '0123-4567-89AB-CDEF');
});

test('proofs are HMAC-SHA-256 under the SHA-256 of the key', async () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  const p = await signer(key);
  // printf '\0\1…\37' | sha256sum
  assert.equal(p.hash, '630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd');
  assert.equal(p.bearer, 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8');
  const hmac = (text) => createHmac('sha256', Buffer.from(p.hash, 'hex')).update(text).digest('base64url');
  assert.equal(await p.receipt('d1', 'stored'), hmac('sipas receipt 1\nd1\nstored'));
  assert.equal(await p.answer('n1', '{"a":"ế"}'), hmac('sipas answer 1\nn1\n{"a":"ế"}'));
  assert.equal(await p.exported('x'), hmac('sipas export 1\nx'));
  assert.notEqual(await p.receipt('d1', 'stored'), await p.receipt('d1', 'quarantined'));
});

test('what is sealed is never the same twice, and its length tells that of the text alone', async () => {
  const curve = createECDH('prime256v1');
  const key = new Uint8Array(curve.generateKeys());
  const [a, b] = [await seal(key, forAnswer, bytes('yes')), await seal(key, forAnswer, bytes('yes'))];
  assert.deepEqual([a.length, b.length], [65 + 3 + 16, 65 + 3 + 16]);
  assert.notEqual(hex(a), hex(b));
  assert.equal(a[0], 4);
  await assert.rejects(seal(key.slice(1), forAnswer, bytes('yes')));
});

test('bytes', async () => {
  assert.equal(hex(await sha256(bytes('abc'))), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'); // FIPS 180-2
  assert.equal(base64url(Uint8Array.of(251, 255, 254)), '-__-');
  assert.deepEqual(join(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)), Uint8Array.of(1, 2, 3));
  assert.notEqual(hex(random(16)), hex(random(16)));
});
