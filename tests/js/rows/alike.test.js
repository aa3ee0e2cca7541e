import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alikeQuery, scalarParams } from '../../../server/static/js/rows/alike.js';

const params = {
  lr: 0.1,
  name: 'a "b" \\',
  on: true,
  nothing: null,
  many: [1, 2],
  model: { depth: 4, 'two words': 'x' },
};

test('params that can be compared, by path', () => {
  assert.deepEqual(scalarParams(params), [
    ['lr', 0.1],
    ['name', 'a "b" \\'],
    ['on', true],
    ['model.depth', 4],
    ['model.two words', 'x'],
  ]);
});

test('the query asks for all params but the one that may differ', () => {
  const found = scalarParams(params);
  assert.equal(
    alikeQuery(found, 'lr').q,
    'params.name="a \\"b\\" \\\\" and params.on=true and params.model.depth=4 and params."model.two words"="x"',
  );
  assert.ok(alikeQuery(found, '').q.startsWith('params.lr=0.1 and '));
});

test('a query stays within what the server takes', () => {
  const many = Object.fromEntries(Array.from({ length: 80 }, (_, n) => [`p${n}`, n === 0 ? 'x'.repeat(5_000) : n]));
  const { q, left } = alikeQuery(scalarParams(many), '');
  assert.ok(q.length < 4_000);
  assert.deepEqual([q.split(' and ').length, left, q.includes('p0=')], [30, 50, false]);
});
