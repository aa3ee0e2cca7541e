import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smooth } from '../../../server/static/js/charts/smoothing.js';

test('the moving average is corrected for its start and skips what is not finite', () => {
  assert.deepEqual(
    smooth([3, 3, 3], 0.9).map((value) => Number(value.toFixed(9))),
    [3, 3, 3],
  );
  const [first, gap, second] = smooth([1, NaN, 2], 0.5);
  assert.equal(first, 1);
  assert.ok(Number.isNaN(gap));
  assert.ok(Math.abs(second - (0.25 * 1 + 0.5 * 2) / 0.75) < 1e-12);
  assert.deepEqual(smooth([], 0.5), []);
});
