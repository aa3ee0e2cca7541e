import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hiddenKeys, hiddenLine, readAddress, writeAddress } from '../../../server/static/js/data/address.js';

const KEPT = { xMode: 'time', smooth: 0.6, logY: true };

test('an address that is written is read as it was', () => {
  const shown = {
    ...readAddress('', {}),
    q: 'lr<=0.01 and not "a b"',
    status: 'failed',
    sort: '-min(val_loss)',
    place: 'archive',
    selected: ['a', 'b'],
    automatic: false,
    xMode: 'percent',
    smooth: 0.35,
    logY: true,
    graphFilter: 'loss & more',
    columns: {
      shown: { 'params.lr': true, id: false },
      order: ['tag', 'id'],
      widths: { tag: 300 },
      pinned: ['id'],
      differing: false,
    },
    zoom: { min: -1.5, max: 1e21 },
    hidden: [hiddenLine('a: b', 's:0123'), hiddenLine('loss', 'n:val: x')],
    wide: ['loss', 'a & b'],
  };
  assert.deepEqual(readAddress(writeAddress(shown), {}), shown);
  assert.deepEqual(readAddress(writeAddress(shown), KEPT), shown, 'whoever opens it');
});

test('how a person draws charts counts where the address does not say how', () => {
  const { xMode, smooth, logY } = readAddress('?s=a', KEPT);
  assert.deepEqual({ xMode, smooth, logY }, KEPT);
  assert.equal(readAddress('?s=a&x=step', KEPT).smooth, 0);
});

test('a page that nobody has touched has a short address, and what is chosen by itself is not in it', () => {
  assert.equal(writeAddress(readAddress('', {})), '');
  assert.equal(writeAddress({ ...readAddress('', {}), selected: ['a'], automatic: true }), '');
  assert.equal(readAddress('?s=none', {}).automatic, false);
});

test('what makes no sense is left out', () => {
  const shown = readAddress('?x=nope&smooth=7&zoom=5..1&in=elsewhere&hide=%25', {});
  assert.deepEqual(
    [shown.xMode, shown.smooth, shown.zoom, shown.place, hiddenKeys(shown.hidden, '').size],
    ['step', 0, null, '', 0],
  );
  assert.deepEqual(readAddress('?zoom=1..x', {}).zoom, null);
});

test('hidden lines are told by card, whatever the names hold', () => {
  const hidden = [hiddenLine('a', 'n:x:y'), hiddenLine('a:b', 's:1'), hiddenLine('b', 'n:%41')];
  assert.deepEqual(hiddenKeys(hidden, 'a'), new Set(['n:x:y']));
  assert.deepEqual(hiddenKeys(hidden, 'a:b'), new Set(['s:1']));
  assert.deepEqual(hiddenKeys(hidden, 'b'), new Set(['n:%41']));
});
