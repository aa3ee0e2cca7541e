import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as axis from '../../../server/static/js/charts/x_axis.js';
import { lineFromColumns } from '../../../server/static/js/data/line.js';

const line = lineFromColumns({ x: [0, 9, 19], t: [100, 110, 130], y: [1, 2, 3] }, true);
const session = { created_at: 90, max_iter: 40, last_x: 19 };

test('positions by mode', () => {
  assert.deepEqual(axis.positionsOf(line, session, 'step'), [0, 9, 19]);
  assert.deepEqual(axis.positionsOf(line, session, 'time'), [100, 110, 130]);
  assert.deepEqual(axis.positionsOf(line, session, 'elapsed'), [10, 20, 40]);
  assert.deepEqual(axis.positionsOf(line, session, 'percent'), [2.5, 25, 50]);
});

test('positions without what the session would say', () => {
  assert.deepEqual(axis.positionsOf(line, undefined, 'elapsed'), [0, 10, 30]);
  assert.deepEqual(axis.positionsOf(line, undefined, 'percent'), [5, 50, 100]);
  assert.deepEqual(axis.positionsOf(line, { ...session, max_iter: null, last_x: 99 }, 'percent'), [1, 10, 20]);
  const timeless = lineFromColumns({ x: [0], y: [1] }, true);
  assert.equal(axis.positionsOf(timeless, session, 'time'), null);
});

test('the window of a zoom is a tenth wider, at least a step', () => {
  assert.deepEqual(axis.stepWindow(line, session, 'step', { min: 100, max: 200 }), { x0: 90, x1: 210 });
  assert.deepEqual(axis.stepWindow(line, session, 'step', { min: 5, max: 6 }), { x0: 4, x1: 7 });
  // between 15 and 25 seconds lies step 9; its neighbors bound the window
  assert.deepEqual(axis.stepWindow(line, session, 'elapsed', { min: 15, max: 25 }), { x0: -2, x1: 21 });
  assert.equal(axis.stepWindow(lineFromColumns({ x: [], y: [] }, true), session, 'percent', { min: 0, max: 1 }), null);
});

test('positions in words', () => {
  assert.equal(axis.positionText(12_345.4, 'step', null, 100), 'step 12,345');
  assert.equal(axis.positionText(3, 'step', 'epoch', 100), 'epoch 3');
  assert.equal(axis.positionText(12.345, 'percent', null, 100), '12.3 %');
  assert.equal(axis.positionText(3700, 'elapsed', null, 100), 'after 1h 1m');
  assert.equal(axis.positionText(1.5, 'elapsed', null, 2), 'after 1.500s');
  assert.match(axis.positionText(0.25, 'time', null, 2), /\.250/);
  assert.doesNotMatch(axis.positionText(0.25, 'time', null, 200), /\.250/);
});

test('labels of durations', () => {
  const labels = [0, 30, 60, 90, 3600, 5400, 86_400, 172_800].map((seconds) => axis.shortDuration(seconds, 30));
  assert.deepEqual(labels, ['0', '30s', '1m', '1m30s', '1h', '1h30m', '1d', '2d']);
  assert.deepEqual(
    [0.25, 1.5, 61.5].map((seconds) => axis.shortDuration(seconds, 0.05)),
    ['250ms', '1.50s', '1m1.50s'],
  );
});

test('labels of numbers', () => {
  assert.deepEqual(
    [0, 999, 1500, 2e6, 3e9, 4e12].map((value) => axis.shortNumber(value)),
    ['0', '999', '1.5k', '2M', '3G', '4T'],
  );
  assert.equal(axis.shortNumber(1_795_743_817_000, 1000), '1,795,743,817,000');
  assert.equal(axis.shortNumber(-2500), '-2.5k');
});

test('the labels of neighboring ticks differ', () => {
  for (const [start, step] of [
    [1_000_000, 1],
    [123_456_000, 5],
    [10_000, 100],
    [0, 20_000],
  ]) {
    const labels = Array.from({ length: 6 }, (_, n) => axis.shortNumber(start + n * step, step));
    assert.equal(new Set(labels).size, labels.length, labels.join());
  }
});
