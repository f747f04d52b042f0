// A QR code (ISO/IEC 18004) of a short text: byte mode, error correction level M, versions
// 1 to 10 and one mask. A tablet draws it without network.

// Codewords of error correction in a block, and the data codewords of each block, by version.
const blocks = [
  [10, [16]], [16, [28]], [26, [44]], [18, [32, 32]], [24, [43, 43]], [16, [27, 27, 27, 27]], [18, [31, 31, 31, 31]],
  [22, [38, 38, 39, 39]], [22, [36, 36, 36, 37, 37]], [26, [43, 43, 43, 43, 44]],
];
const alignments = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50]];
const versionBits = { 7: 0x07c94, 8: 0x085bc, 9: 0x09a99, 10: 0x0a4d3 };
const formatBits = 0x5412; // level M, mask 0
const mask = (x, y) => (x + y) % 2 === 0;

// Multiplication in the field of 256 elements with x⁸+x⁴+x³+x²+1.
function times(a, b) {
  let p = 0;
  for (; b; b >>= 1, a = a << 1 ^ (a & 128 ? 0x11d : 0)) if (b & 1) p ^= a;
  return p;
}

// remainder is the error correction of data (Reed-Solomon).
function remainder(data, degree) {
  let generator = [1];
  for (let i = 0, root = 1; i < degree; i++, root = times(root, 2)) {
    generator = [...generator, 0].map((c, k) => c ^ (k > 0 ? times(generator[k - 1], root) : 0));
  }
  const out = new Array(degree).fill(0);
  for (const d of data) {
    const factor = d ^ out.shift();
    out.push(0);
    for (let k = 0; k < degree; k++) out[k] ^= times(generator[k + 1], factor);
  }
  return out;
}

function codewords(data, version) {
  const [correction, sizes] = blocks[version - 1];
  const total = sizes.reduce((a, b) => a + b);
  const bits = [];
  const put = (value, n) => { for (let i = n - 1; i >= 0; i--) bits.push(value >> i & 1); };
  put(4, 4);
  put(data.length, version < 10 ? 8 : 16);
  for (const b of data) put(b, 8);
  put(0, Math.min(4, total * 8 - bits.length));
  while (bits.length % 8) bits.push(0);
  for (let pad = 0xec; bits.length < total * 8; pad ^= 0xec ^ 0x11) put(pad, 8);
  const all = [];
  for (let i = 0; i < bits.length; i += 8) all.push(bits.slice(i, i + 8).reduce((a, b) => a * 2 + b));
  const parts = [];
  let at = 0;
  for (const size of sizes) parts.push(all.slice(at, at += size));
  const checks = parts.map((p) => remainder(p, correction));
  const out = [];
  for (let i = 0; i < Math.max(...sizes); i++) for (const p of parts) if (i < p.length) out.push(p[i]);
  for (let i = 0; i < correction; i++) for (const c of checks) out.push(c[i]);
  return out;
}

// qr returns rows of modules, true for dark. It throws for a text that is too long.
export function qr(text) {
  const data = new TextEncoder().encode(text);
  const version = blocks.findIndex(([, sizes], i) => data.length + (i < 9 ? 2 : 3) <= sizes.reduce((a, b) => a + b)) + 1;
  if (version === 0) throw new RangeError('the text is too long for a code');
  const size = 17 + 4 * version;
  const dark = Array.from({ length: size }, () => new Array(size).fill(null));
  const set = (x, y, on) => { if (x >= 0 && y >= 0 && x < size && y < size) dark[y][x] = on; };
  const square = (cx, cy, ring) => {
    for (let y = -ring; y <= ring; y++) for (let x = -ring; x <= ring; x++) {
      const d = Math.max(Math.abs(x), Math.abs(y));
      set(cx + x, cy + y, ring === 4 ? d !== 2 && d !== 4 : d !== 1);
    }
  };
  for (let i = 8; i < size - 8; i++) { set(i, 6, i % 2 === 0); set(6, i, i % 2 === 0); }
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]]) square(x, y, 4);
  const centres = alignments[version - 1], last = centres.length - 1;
  centres.forEach((x, i) => centres.forEach((y, k) => {
    if (!(i === 0 && k === 0 || i === 0 && k === last || i === last && k === 0)) square(x, y, 2);
  }));
  for (let i = 0; i < 15; i++) {
    const on = (formatBits >> i & 1) === 1;
    set(...(i < 6 ? [8, i] : i < 8 ? [8, i + 1] : i === 8 ? [7, 8] : [14 - i, 8]), on);
    set(...(i < 8 ? [size - 1 - i, 8] : [8, size - 15 + i]), on);
  }
  set(8, size - 8, true);
  for (let i = 0; version >= 7 && i < 18; i++) {
    const on = (versionBits[version] >> i & 1) === 1, a = size - 11 + i % 3, b = Math.floor(i / 3);
    set(a, b, on);
    set(b, a, on);
  }
  const words = codewords(data, version);
  let i = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    const upward = (right + 1 & 2) === 0;
    for (let step = 0; step < size; step++) for (let side = 0; side < 2; side++) {
      const x = right - side, y = upward ? size - 1 - step : step;
      if (dark[y][x] !== null) continue;
      const on = i < words.length * 8 && (words[i >> 3] >> 7 - (i & 7) & 1) === 1;
      i++;
      dark[y][x] = on !== mask(x, y);
    }
  }
  return dark;
}

// path draws the dark modules for an SVG whose unit is a module.
export const path = (modules) => modules.map((row, y) => row.map((on, x) => on ? `M${x} ${y}h1v1h-1z` : '').join('')).join('');
