import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { say, texts } from '../texts.js';

const blanks = (text) => text.split('%s').length - 1;

test('every language says everything, with the same blanks', () => {
  assert.deepEqual(Object.keys(texts), ['vi', 'en']);
  assert.deepEqual(Object.keys(texts.en), Object.keys(texts.vi));
  for (const [key, text] of Object.entries(texts.vi)) {
    assert.equal(blanks(texts.en[key]), blanks(text), key);
    for (const t of [text, texts.en[key]]) {
      assert.ok(t.trim() === t && t !== '', key);
      assert.ok(!/%(?!s)/.test(t), key);
    }
    assert.notEqual(text, texts.en[key], key);
  }
});

// Keys are written out where they are used, or made of these and a kind.
test('whatever the program says is there, and nothing is there that it never says', () => {
  const folder = new URL('../', import.meta.url);
  const program = readdirSync(folder).filter((f) => f.endsWith('.js') && f !== 'texts.js').map((f) => readFileSync(new URL(f, folder), 'utf8')).join('');
  const said = [...program.matchAll(/say\((?:lang|'vi'), (?:[^',()]+\? )?'([a-z_.]+)'(?: : '([a-z_.]+)')?/g)].flatMap((m) => [m[1], m[2]]).filter(Boolean);
  assert.ok(said.length > 60);
  for (const key of said) assert.ok(texts.vi[key] || Object.keys(texts.vi).some((k) => k.startsWith(key)), key);
  for (const key of Object.keys(texts.vi)) {
    const made = /^(problem|filing|helped|staff|staff\.result)\.|^(field|filing|helped|language)$/.test(key);
    assert.ok(made || program.includes(`'${key}'`), `${key} is never said`);
  }
});

test('say', () => {
  assert.equal(say('en', 'step.where', 3, 22), 'Question 3 of 22');
  assert.equal(say('vi', 'enrol.other', 'A', 5, '%s $& $1'), texts.vi['enrol.other'].replace('%s', 'A').replace('%s', '5').replace('%s', () => '%s $& $1'));
  assert.equal(say('zz', 'step.back'), texts.vi['step.back']);
  assert.equal(say('vi', 'no.such.key'), 'no.such.key');
});
