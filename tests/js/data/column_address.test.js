import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EMPTY, readColumns, writeColumns } from '../../../server/static/js/data/column_address.js';

test('columns are read as they were written, whatever their names hold', () => {
  const layout = {
    shown: { 'params.lr': true, elapsed: false, 'params.a,b/c:120': true, 'values.*-.': true, 'params.x:9': false },
    order: ['tag', 'params.lr', 'params.a,b/c:120'],
    widths: { tag: 300, 'params.x:9': 48, 'last(a:b)': 120 },
    pinned: ['params.lr', 'max(ä %)'],
    differing: true,
  };
  const read = readColumns(writeColumns(layout));
  assert.deepEqual({ ...read, pinned: read.pinned.sort() }, { ...layout, pinned: layout.pinned.sort() });
});

test('it is short, and nothing where nothing is laid out', () => {
  assert.equal(writeColumns(EMPTY), '');
  assert.deepEqual(readColumns(''), EMPTY);
  assert.equal(writeColumns({ ...EMPTY, differing: true }), '//differing');
  const layout = {
    shown: { 'params.lr': true, elapsed: false },
    order: ['tag', 'status'],
    widths: {},
    pinned: ['status'],
  };
  assert.equal(writeColumns(layout), 'tag,.status/*params.lr,-elapsed');
});

test('what somebody has made of an address breaks nothing', () => {
  assert.deepEqual(readColumns(',,/,*,-.:5,%zz/a'), { ...EMPTY, order: [] });
  assert.equal(readColumns('*__proto__').shown.polluted, undefined);
});
