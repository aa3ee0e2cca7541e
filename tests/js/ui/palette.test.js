import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { assignDashes, COLORS, colorOf, isHeldOut, Palette } from '../../../server/static/js/ui/palette.js';
import { installBrowser } from '../support.js';

beforeEach(() => installBrowser());

test('ten colors, then the same ones away from the background', () => {
  assert.deepEqual(
    COLORS.map((_, slot) => colorOf(slot, false)),
    COLORS,
  );
  assert.notEqual(colorOf(10, false), COLORS[0]);
  assert.notEqual(colorOf(10, false), colorOf(10, true));
  assert.match(colorOf(99, true), /^#[0-9a-f]{6}$/);
  const sum = (color) => [1, 3, 5].reduce((total, at) => total + Number.parseInt(color.slice(at, at + 2), 16), 0);
  assert.ok(sum(colorOf(10, false)) < sum(COLORS[0]) && sum(colorOf(10, true)) > sum(COLORS[0]));
});

test('sessions keep their colors while they are selected, and free them after', () => {
  const palette = new Palette();
  palette.load('7');
  palette.assign(['a', 'b', 'c']);
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => palette.color(id)),
    COLORS.slice(0, 3),
  );
  palette.assign(['c', 'd']);
  assert.deepEqual(
    ['c', 'd'].map((id) => palette.color(id)),
    [COLORS[2], COLORS[0]],
  );
});

test('a reload keeps colors', () => {
  const palette = new Palette();
  palette.load('7');
  palette.assign(['a', 'b']);
  palette.assign(['b']);
  const reloaded = new Palette();
  reloaded.load('7');
  assert.equal(reloaded.color('b'), COLORS[1]);
  const other = new Palette();
  other.load('8');
  assert.equal(other.color('b'), COLORS[0]);
});

test('held-out metrics', () => {
  for (const name of ['val_loss', 'valLoss', 'loss/val', 'Validation accuracy', 'test', 'eval.loss', 'DEV'])
    assert.ok(isHeldOut(name), name);
  for (const name of ['loss', 'train_loss', 'value', 'interval', 'latest', 'evaluate', 'device'])
    assert.ok(!isHeldOut(name), name);
});

test('the first metric is solid, held-out ones are dashed', () => {
  const dashes = assignDashes(['train', 'val', 'other', 'test']);
  assert.deepEqual(dashes.get('train'), []);
  assert.deepEqual(dashes.get('val'), [5, 3]);
  assert.equal(new Set([...dashes.values()].map(String)).size, 4);
  assert.deepEqual(assignDashes(['val']).get('val'), [5, 3]);
});
