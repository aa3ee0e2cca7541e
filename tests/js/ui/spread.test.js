import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spread } from '../../../server/static/js/ui/spread.js';

test('the deviation has two digits, the mean as many decimals', () => {
  assert.deepEqual(spread(0.087123, 0.00431), ['0.0871', '0.0043']);
  assert.deepEqual(spread(1.2345, 3.456), ['1.2', '3.5']);
  assert.deepEqual(spread(12345.6, 123.4), ['12,346', '123']);
  assert.deepEqual(spread(-0.0001, 0.5), ['0.00', '0.50']);
});

test('a single value, equal values and extreme ones', () => {
  assert.deepEqual(spread(0.25, null), ['0.2500', '']);
  assert.deepEqual(spread(0.25, 0), ['0.2500', '0']);
  assert.deepEqual(spread(1e12, 3e10), ['1.00e12', '3.00e10']);
  assert.deepEqual(spread(0.5, 1e-9), ['0.5000', '1.00e-9']);
});
