import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bandLine, deviation, groupPositions, groupWindow, smoothBand } from '../../../server/static/js/charts/band.js';

const columns = {
  x: [0, 4, 8],
  n: [4, 1, 0],
  mean: [2, 5, null],
  sd: [1, null, null],
  min: [0.5, 5, null],
  max: [3, 5, null],
  nan: [0, 2, 1],
  inf: [0, 1, 0],
};

test('the band is the deviation, the error of the mean, or the extremes', () => {
  const edges = (kind) => {
    const { lo, hi } = bandLine(columns, kind, true);
    return [lo.slice(0, 2), hi.slice(0, 2)];
  };
  assert.deepEqual(edges('sd'), [
    [1, 5],
    [3, 5],
  ]);
  assert.deepEqual(edges('se'), [
    [1.5, 5],
    [2.5, 5],
  ]);
  assert.deepEqual(edges('minmax'), [
    [0.5, 5],
    [3, 5],
  ]);
  assert.equal(deviation(columns, 'se', 1), null);
});

test('without a band the line has no extremes, and where no session has a value there is a gap', () => {
  const line = bandLine(columns, 'none', false);
  assert.equal(line.lo, line.mid);
  assert.deepEqual(line.mid, [2, 5, Number.NaN]);
  assert.deepEqual(line.bad, [0, 3, 1]);
  assert.deepEqual(bandLine(columns, 'sd', true).hi, [3, 5, Number.NaN]);
});

test('a smoothed mean stays in its deviation, and extremes stay what they are', () => {
  const long = { ...columns, x: [0, 1], n: [2, 2], mean: [0, 10], sd: [1, 1], min: [-1, 9], max: [1, 11] };
  const smoothed = smoothBand(bandLine(long, 'sd', true), 'sd', 0.5);
  assert.deepEqual(
    smoothed.hi.map((value, at) => Number((value - smoothed.lo[at]).toFixed(9))),
    [2, 2],
  );
  assert.ok(smoothed.hi[1] < 9);
  assert.deepEqual(smoothBand(bandLine(long, 'minmax', true), 'minmax', 0.5).hi, [1, 11]);
});

test('a group has a place on the axis of steps, and of percent if its sessions have the same number of steps', () => {
  assert.deepEqual(groupPositions([0, 9], 'step', null), [0, 9]);
  assert.deepEqual(groupPositions([0, 9], 'percent', 10), [10, 100]);
  assert.equal(groupPositions([0, 9], 'percent', null), null);
  assert.equal(groupPositions([0, 9], 'time', 10), null);
  assert.deepEqual(groupWindow({ min: 100, max: 200 }, 'step', null), { x0: 90, x1: 210 });
  assert.deepEqual(groupWindow({ min: 50, max: 100 }, 'percent', 1000), { x0: 449, x1: 1049 });
  assert.equal(groupWindow({ min: 50, max: 100 }, 'elapsed', 1000), null);
});
