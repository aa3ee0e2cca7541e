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
    band: 'se',
    groups: readAddress('?g=params.optimizer%3Dadam&g=lr%3C0.1+and+not+(x%3D1+or+%22params.y%22%3D2)', {}).groups,
    graphFilter: 'loss & more',
    columns: {
      shown: { 'params.lr': true, id: false },
      order: ['tag', 'id'],
      widths: { tag: 300 },
      pinned: ['id'],
      differing: false,
    },
    zoom: { min: -1.5, max: 1e21 },
    hidden: [hiddenLine('a: b', 's:0123'), hiddenLine('loss', 'g:lr=1 and "a:b"=2'), hiddenLine('loss', 'n:val: x')],
    wide: ['loss', 'a & b'],
  };
  assert.equal(shown.groups[1].q, 'lr<0.1 and not (x=1 or "params.y"=2)');
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
  const shown = readAddress('?x=nope&smooth=7&band=wide&g=&g=a&g=a&zoom=5..1&in=elsewhere&hide=%25', {});
  assert.deepEqual(
    [shown.xMode, shown.smooth, shown.band, shown.groups.length, shown.zoom, shown.place],
    ['step', 0, 'sd', 1, null, ''],
  );
  assert.equal(hiddenKeys(shown.hidden, '').size, 0);
  assert.deepEqual(readAddress('?zoom=1..x', {}).zoom, null);
});

test('hidden lines are told by card, whatever the names hold', () => {
  const hidden = [hiddenLine('a', 'n:x:y'), hiddenLine('a:b', 's:1'), hiddenLine('b', 'n:%41')];
  assert.deepEqual(hiddenKeys(hidden, 'a'), new Set(['n:x:y']));
  assert.deepEqual(hiddenKeys(hidden, 'a:b'), new Set(['s:1']));
  assert.deepEqual(hiddenKeys(hidden, 'b'), new Set(['n:%41']));
});

test('an address holds how the table is grouped', () => {
  const search = '?by=lr&by=optimizer.name&order=-sessions&open=lr%3D0.1&g=lr%3D0.1&x=step';
  const shown = readAddress(search, {});
  assert.deepEqual(shown.by, ['lr', 'optimizer.name']);
  assert.deepEqual([shown.order, shown.open], ['-sessions', ['lr=0.1']]);
  assert.deepEqual(shown.groups, [{ q: 'lr=0.1', label: 'lr = 0.1' }]);
  assert.equal(writeAddress(shown), search);
  assert.equal(writeAddress({ ...shown, by: [], groups: [] }), '');
});
