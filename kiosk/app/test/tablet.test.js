import assert from 'node:assert/strict';
import test from 'node:test';
import { Clock } from '../clock.js';
import { Tablet } from '../tablet.js';

const now = Date.UTC(2026, 10, 24, 3, 20);

// A tablet on which everything is well, but for what is changed.
function tablet({ stored, bundle, round, seen = now, worker = true, broken = '', wall = now } = {}) {
  const clock = new Clock(() => ({ mono: 1, wall }), null, { seen });
  const rounds = [{ id: 'r', first: '2026-11-01', last: '2026-11-30', ...round }];
  const t = new Tablet({ clock, bundle: { day: '2026-11-24', device: { id: 'D1' }, rounds, ...bundle }, stored: { device: { id: 'D1' }, ...stored } });
  return Object.assign(t, { worker, broken });
}

test('a reload that the browser loses is asked for again', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let reloads = 0;
  globalThis.location = { reload: () => { reloads++; } };
  const now = { app: 'another', bundle: 'b' };
  const waiting = Object.assign(tablet(), { staged: now, release: { now, switch: async () => {} } });
  let over = false;
  waiting.takeUp().then(() => { over = true; });
  const settle = async () => { for (let i = 0; i < 10; i++) await null; };
  await settle();
  assert.equal(reloads, 1);
  for (const ms of [9_999, 1]) {
    t.mock.timers.tick(ms);
    await settle();
  }
  assert.deepEqual([reloads, over], [2, false]);
  delete globalThis.location;
});

test('why nobody can answer now', () => {
  for (const [change, problem] of [
    [{}, ''],
    [{ stored: { revoked: true } }, 'revoked'],
    [{ stored: { revoked: true }, broken: 'full' }, 'revoked'],
    [{ broken: 'full' }, 'full'],
    [{ broken: 'stopped', worker: false }, 'stopped'],
    [{ worker: false }, 'preparing'],
    [{ bundle: { device: { id: 'D2' } } }, 'preparing'],
    [{ seen: 0 }, 'preparing'],
    [{ wall: now - 24 * 3600e3 }, 'clock'],
    [{ round: { last: '2026-11-23' } }, 'closed'],
    [{ round: { first: '2026-11-25' } }, 'closed'],
  ]) assert.equal(tablet(change).problem(), problem, JSON.stringify(change));
  assert.equal(Object.assign(tablet(), { bundle: null }).problem(), 'preparing');
});
