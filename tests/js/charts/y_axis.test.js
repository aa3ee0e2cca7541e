import assert from 'node:assert/strict';
import { test } from 'node:test';
import { logSplits, xRange, yLabels, yRange } from '../../../server/static/js/charts/y_axis.js';
import { lineFromColumns } from '../../../server/static/js/data/line.js';

const drawn = (positions, y) => ({ positions, line: lineFromColumns({ x: positions, y }, true) });
const near = (range, expected) => {
  for (const [at, value] of range.entries())
    assert.ok(Math.abs(value - expected[at]) < 1e-9, `${range} is not ${expected}`);
};

test('the range holds what is visible, with a margin', () => {
  near(yRange([drawn([0, 1, 2], [-1, 1, 100])], [0, 1], false), [-1.1, 1.1]);
  assert.equal(yRange([drawn([0], ['NaN'])], [0, 1], false), null);
  assert.equal(yRange([], [0, 1], false), null);
});

test('a range near zero begins at zero, one near 1 hardly passes 1', () => {
  near(yRange([drawn([0, 1], [0.1, 1.1])], [0, 1], false), [0, 1.15]);
  const [, high] = yRange([drawn([0, 1], [0.5, 0.99])], [0, 1], false);
  assert.ok(high > 0.99 && high <= 1.01);
});

test('a single value gets a range around it', () => {
  near(yRange([drawn([0], [5])], [0, 1], false), [4.5, 5.5]);
  near(yRange([drawn([0], [0])], [0, 1], false), [-0.5, 0.5]);
  near(yRange([drawn([0], [8])], [0, 1], true), [4, 16]);
});

test('a log range ignores what is not above zero', () => {
  const [low, high] = yRange([drawn([0, 1, 2, 3], [-5, 0, 0.01, 100])], [0, 3], true);
  assert.ok(low > 0 && low < 0.01);
  assert.ok(high > 100 && high < 200);
  assert.equal(yRange([drawn([0, 1], [-5, 0])], [0, 1], true), null);
});

test('the horizontal range holds all lines', () => {
  assert.deepEqual(xRange([drawn([3, 4], [1, 1]), drawn([], []), drawn([1, 2], [1, 1])]), [1, 4]);
  assert.deepEqual(xRange([drawn([3], [1])]), [2, 4]);
  assert.equal(xRange([drawn([], [])]), null);
});

test('ticks of a log axis', () => {
  assert.deepEqual(logSplits(null, 0, 0.9, 12), [1, 2, 5, 10]);
  assert.deepEqual(logSplits(null, 0, 1e-6, 1), [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1]);
  assert.ok(logSplits(null, 0, 1e-100, 1e100).length < 15);
  assert.deepEqual(logSplits(null, 0, 3.1, 3.9), [3.1, 3.9]);
});

test('labels have the same number of decimals', () => {
  const linear = { scales: { y: {} } };
  assert.deepEqual(yLabels(linear, [0, 0.25, 0.5, null], 0, 0, 0.25), ['0', '0.25', '0.50', '']);
  assert.deepEqual(yLabels(linear, [10_000, 20_000], 0, 0, 10_000), ['10k', '20k']);
  assert.deepEqual(yLabels(linear, [2e-5, 4e-5], 0, 0, 2e-5), ['2e-5', '4e-5']);
  const log = { scales: { y: { distr: 3 } } };
  assert.deepEqual(yLabels(log, [1e-5, 0.01, 10, 1e6], 0, 0, 1), ['1e-5', '0.01', '10', '1e+6']);
});
