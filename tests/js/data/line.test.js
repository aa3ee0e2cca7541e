import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as line from '../../../server/static/js/data/line.js';

const summary = () =>
  line.lineFromColumns(
    {
      x: [0, 10, 20],
      t: [0, 1, 2],
      mean: [1, 2, null],
      min: [0, 1, null],
      max: [2, 3, null],
      nan: [0, 0, 4],
      inf: [0, 1, 0],
    },
    false,
  );

test('exact columns keep what is not finite as flags', () => {
  const made = line.lineFromColumns({ x: [0, 1, 2, 3, 4], y: [0.5, 'NaN', 'Infinity', '-Infinity', null] }, true);
  assert.deepEqual(made.mid, [0.5, NaN, NaN, NaN, NaN]);
  assert.deepEqual(made.bad, [0, line.NAN, line.PLUS, line.MINUS, 0]);
  assert.equal(made.lo, made.mid);
  assert.equal(made.t, null);
  assert.deepEqual(line.toColumns(made), { x: [0, 1, 2, 3, 4], y: [0.5, 'NaN', 'Infinity', '-Infinity', null] });
});

test('summaries have extremes of their own', () => {
  const made = summary();
  assert.deepEqual(made.mid, [1, 2, NaN]);
  assert.deepEqual(made.lo, [0, 1, NaN]);
  assert.deepEqual(made.bad, [0, line.PLUS, line.NAN]);
  assert.deepEqual(line.toColumns(made), {
    x: [0, 10, 20],
    min: [0, 1, null],
    max: [2, 3, null],
    mean: [1, 2, null],
    bad: [0, 2, 1],
  });
});

test('a point is inserted by its step, after those of the same step', () => {
  const made = line.lineFromColumns({ x: [0, 2, 2, 5], t: [0, 1, 2, 3], y: [1, 2, 3, 4] }, true);
  assert.equal(line.addPoint(made, 2, 9, 'NaN'), true);
  assert.equal(line.addPoint(made, 7, 10, 5), true);
  assert.deepEqual(made.x, [0, 2, 2, 2, 5, 7]);
  assert.deepEqual(made.t, [0, 1, 2, 9, 3, 10]);
  assert.deepEqual(made.mid, [1, 2, 3, NaN, 4, 5]);
  assert.deepEqual(made.bad, [0, 0, 0, line.NAN, 0, 0]);
});

test('a late point widens the summary that it falls into, and the line is no longer what the server has', () => {
  const made = summary();
  assert.equal(line.addPoint(made, 12, 9, 7), false);
  assert.equal(line.addPoint(made, 15, 9, -7), false);
  assert.equal(line.addPoint(made, 1, 9, 'NaN'), false);
  assert.deepEqual(made.x, [0, 10, 20]);
  assert.deepEqual(made.hi, [2, 7, NaN]);
  assert.deepEqual(made.lo, [0, -7, NaN]);
  assert.deepEqual(made.mid, [1, 2, NaN]);
  assert.deepEqual(made.bad, [line.NAN, line.PLUS, line.NAN]);
});

test('a point at the end of a summarized line is a summary of its own', () => {
  const made = summary();
  assert.equal(line.addPoint(made, 30, 9, 7), true);
  for (const values of [made.mid, made.lo, made.hi]) assert.equal(values.at(-1), 7);
  assert.deepEqual(made.x, [0, 10, 20, 30]);
});

test('a summary without a finite value takes the first one', () => {
  const made = summary();
  line.addPoint(made, 30, 9, 1);
  assert.equal(line.addPoint(made, 25, 9, 5), false);
  assert.deepEqual([made.lo[2], made.mid[2], made.hi[2]], [5, 5, 5]);
});

test('searching', () => {
  const xs = [1, 3, 3, 7];
  assert.deepEqual(
    [0, 1, 2, 3, 7, 9].map((x) => line.upperBound(xs, x)),
    [0, 1, 1, 3, 4, 4],
  );
  assert.deepEqual(
    [0, 1.9, 2.5, 4.9, 5.1, 99].map((x) => line.nearestIndex(xs, x)),
    [0, 0, 1, 2, 3, 3],
  );
  assert.equal(line.nearestIndex([], 1), -1);
});
