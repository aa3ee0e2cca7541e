import assert from 'node:assert/strict';
import { test } from 'node:test';
import { displayLine, hasBand } from '../../../server/static/js/charts/display_line.js';
import { lineFromColumns, NAN } from '../../../server/static/js/data/line.js';

const exact = (x, y, t) => lineFromColumns({ x, y, t }, true);

test('steps that repeat become a band', () => {
  const shown = displayLine(exact([0, 1, 0, 1].sort(), [1, 3, 10, 'NaN']), 'step');
  assert.deepEqual(shown.x, [0, 1]);
  assert.deepEqual(shown.mid, [2, 10]);
  assert.deepEqual(shown.lo, [1, 10]);
  assert.deepEqual(shown.hi, [3, 10]);
  assert.deepEqual(shown.bad, [0, NAN]);
  assert.ok(hasBand(shown));
});

test('a single step with two points keeps both', () => {
  const line = exact([0, 1, 1, 2], [1, 2, 3, 4]);
  assert.equal(displayLine(line, 'step'), line);
  assert.equal(hasBand(line), false);
});

test('a step without a finite value stays without', () => {
  const shown = displayLine(exact([0, 0, 1, 1], ['NaN', 'NaN', 1, 2]), 'percent');
  assert.deepEqual(shown.mid, [NaN, 1.5]);
  assert.deepEqual(shown.lo, [NaN, 1]);
});

test('on an axis of time, points are in the order of their times', () => {
  const line = exact([0, 0, 1, 1], [1, 2, 3, 'NaN'], [10, 30, 20, 40]);
  for (const mode of ['time', 'elapsed']) {
    const shown = displayLine(line, mode);
    assert.deepEqual(shown.t, [10, 20, 30, 40]);
    assert.deepEqual(shown.x, [0, 1, 0, 1]);
    assert.deepEqual(shown.mid, [1, 3, 2, NaN]);
    assert.deepEqual(shown.bad, [0, 0, 0, NAN]);
    assert.equal(hasBand(shown), false);
  }
});

test('lines that need no change are the same object', () => {
  const line = exact([0, 1, 2], [1, 2, 3], [1, 2, 3]);
  for (const mode of ['step', 'percent', 'time', 'elapsed']) assert.equal(displayLine(line, mode), line);
  const columns = { x: [0, 0], t: [2, 1], mean: [1, 2], min: [0, 1], max: [2, 3], nan: [0, 0], inf: [0, 0] };
  const summarized = lineFromColumns(columns, false);
  assert.equal(displayLine(summarized, 'step'), summarized);
  assert.deepEqual(displayLine(summarized, 'time').hi, [3, 2]);
});
