import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unitsBefore } from '../../../server/static/js/ui/characters.js';

test('places that the server counts are in characters', () => {
  const units = unitsBefore('🚀 a');
  assert.deepEqual([0, 1, 2, 3].map(units), [0, 2, 3, 4]);
});
