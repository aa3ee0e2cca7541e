import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readColumns, writeColumns } from '../../../server/static/js/data/column_address.js';
import { arranged, EMPTY, MIN_WIDTH, moved, pinned, resized, widened } from '../../../server/static/js/table/layout.js';

const columns = (text) => [...text].map((key) => ({ key, width: 100 }));
const ALL = [{ key: 'pick', width: 38 }, { key: 'tag', width: 216 }, ...columns('abcd')];
const keys = (layout, from = ALL) =>
  arranged(from, layout)
    .map(({ key }) => key)
    .slice(2)
    .join('');

test('without a layout the order is the default one', () => {
  assert.equal(keys(EMPTY), 'abcd');
});

test('a column is moved before another one, or to the end', () => {
  const shown = ALL.map(({ key }) => key);
  assert.equal(keys(moved(EMPTY, shown, 'c', 'a')), 'cabd');
  assert.equal(keys(moved(EMPTY, shown, 'a', null)), 'bcda');
  const twice = moved(moved(EMPTY, shown, 'c', 'a'), ['pick', 'tag', ...'cabd'], 'd', 'c');
  assert.equal(keys(twice), 'dcab');
});

test('a column that comes later follows the one that it follows by default', () => {
  const layout = moved(EMPTY, ['pick', 'tag', ...'abd'], 'd', 'a');
  assert.equal(keys(layout), 'dabc');
  assert.equal(keys({ ...EMPTY, order: ['b', 'a'] }, [ALL[0], ALL[1], ...columns('xab')]), 'xba');
});

test('pinned columns come first, and one that is put among them is pinned', () => {
  const layout = pinned(EMPTY, 'c', true);
  assert.equal(keys(layout), 'cabd');
  assert.deepEqual(
    arranged(ALL, layout).map(({ isPinned }) => isPinned),
    [true, true, true, false, false, false],
  );
  const both = moved(layout, ['pick', 'tag', ...'cabd'], 'd', 'c');
  assert.deepEqual([keys(both), both.pinned], ['dcab', ['c', 'd']]);
  assert.equal(keys(moved(both, ['pick', 'tag', ...'dcab'], 'd', null)), 'cabd');
  assert.equal(keys(pinned(layout, 'c', false)), 'abcd');
});

test('widths are kept within bounds, and taken back', () => {
  const layout = resized(EMPTY, 'a', 1.4);
  assert.equal(arranged(ALL, layout).find(({ key }) => key === 'a').width, MIN_WIDTH);
  assert.deepEqual(resized(layout, 'a', null), EMPTY);
});

test('the grouped table has widths of its own', () => {
  const column = { key: 'min(loss)', width: 100, group: 'statistics' };
  const widths = (layout) => [[column], [widened(column, layout)]].map((given) => arranged(given, layout)[0].width);
  assert.deepEqual(widths(EMPTY), [100, 226]);
  const { widthKey } = widened(column, EMPTY);
  const wider = resized(EMPTY, widthKey, 216);
  assert.deepEqual(widths(wider), [100, 216]);
  assert.deepEqual(widths(readColumns(writeColumns(wider))), [100, 216], 'in an address');
  assert.deepEqual(widths(resized(EMPTY, 'min(loss)', 300)), [300, 300]);
});
