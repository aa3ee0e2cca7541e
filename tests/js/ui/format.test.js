import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as format from '../../../server/static/js/ui/format.js';

test('measured values have a similar number of digits', () => {
  const values = [0.08714, 1.23456, 12.3456, 123.456, 1234.56, 18_940, 3.1e-5, 1e10, 0, -0, -2.5];
  assert.deepEqual(values.map(format.number), [
    '0.0871',
    '1.235',
    '12.35',
    '123.5',
    '1,235',
    '18,940',
    '3.10e-5',
    '1.00e10',
    '0',
    '0',
    '-2.500',
  ]);
});

test('values that are not finite or missing', () => {
  assert.deepEqual([NaN, Infinity, -Infinity, 'NaN', 'Infinity', '-Infinity', null, undefined].map(format.number), [
    'NaN',
    '∞',
    '−∞',
    'NaN',
    '∞',
    '−∞',
    '–',
    '–',
  ]);
  assert.equal(format.whole(null), '–');
  assert.equal(format.whole(18_940), '18,940');
  assert.deepEqual([940, 18_940, 2_400_000, 1e12].map(format.compact), ['940', '18.9k', '2.4M', '1T']);
});

test('any JSON value', () => {
  assert.deepEqual([3e-4, 0.1, 1 / 3, 1e-20, 12, 'adam', true, { a: 1 }, null, 'Infinity'].map(format.anything), [
    '3e-4',
    '0.1',
    '0.333333',
    '1e-20',
    '12',
    'adam',
    'true',
    '{"a":1}',
    '–',
    '∞',
  ]);
});

test('durations', () => {
  assert.deepEqual([-3, 0.4, 12, 59.6, 250, 725, 7869, 90_000, 273_600].map(format.duration), [
    '0s',
    '0s',
    '12s',
    '1m 0s',
    '4m 10s',
    '12m',
    '2h 11m',
    '1d 1h',
    '3d 4h',
  ]);
  assert.deepEqual([null, undefined, NaN, Infinity].map(format.duration), ['–', '–', '–', '–']);
  assert.deepEqual([0.412, 1.25, 250.25, 3661.5].map(format.fineDuration), [
    '412ms',
    '1.250s',
    '4m 10.250s',
    '1h 1m 1.500s',
  ]);
});

test('times relative to now', () => {
  const now = Date.now() / 1000;
  assert.equal(format.relativeTime(now + 4620, now), 'in 1h 17m');
  assert.equal(format.relativeTime(now - 20, now), 'just now');
  assert.equal(format.relativeTime(now - 61, now), '1 min ago');
  assert.equal(format.relativeTime(now - 2 * 3600 - 120, now), '2h 2m ago');
  assert.equal(format.relativeTime(null, now), '–');
});

test('the day is said where it is another', () => {
  const at = (...parts) => new Date(...parts).getTime() / 1000;
  const now = at(2026, 10, 5, 12, 0);
  assert.equal(format.clockTime(at(2026, 10, 5, 9, 12), now), '09:12');
  assert.equal(format.clockTime(at(2026, 10, 4, 22, 14), now), 'yesterday 22:14');
  assert.equal(format.clockTime(at(2026, 10, 3, 22, 14), now), '3 Nov 22:14');
  assert.equal(format.exactTime(null), '');
  assert.match(format.exactTime(now), /5 November 2026/);
});

test('long names lose their middle', () => {
  assert.equal(format.shorten('short', 10), 'short');
  assert.equal(format.shorten('abcdefghijklmnop', 10), 'abcdef…nop');
  assert.equal([...format.shorten('😀'.repeat(30), 11)].length, 11);
});
