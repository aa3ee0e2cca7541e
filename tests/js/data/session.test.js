import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sessions from '../../../server/static/js/data/session.js';
import { isHeldOut } from '../../../server/static/js/ui/palette.js';
import { session } from '../support.js';

const graph = (stats, fields = {}) => ({
  id: 'g',
  title: 'loss',
  kind: 'min',
  names: Object.keys(stats),
  stats,
  ...fields,
});

test('names', () => {
  assert.equal(sessions.tagOf({ id: 'abcdef', tag: 'run' }), 'run');
  assert.equal(sessions.tagOf({ id: 'abcdef', tag: '' }), 'session abcd');
  assert.equal(sessions.shortTag({ id: 'x', tag: 'a'.repeat(99) }, 9).length, 9);
  assert.equal(sessions.detailsOf('x'), '/s/x/details');
});

test('the first value that is not finite', () => {
  const found = sessions.firstNonFinite(graph({ a: { nan: 1, nan_x: 9 }, b: { nan: 2, nan_x: 3 }, c: { nan: 0 } }));
  assert.deepEqual(found, { name: 'b', x: 3, count: 2 });
  assert.equal(sessions.firstNonFinite(graph({ a: {} })), null);
});

test('reasons', () => {
  const bad = { graphs: [graph({ a: { nan: 1, nan_x: 1200 } })] };
  const reason = (fields) => sessions.reasonOf(session('x', fields), 2000);
  assert.equal(reason({}), '');
  assert.equal(reason({ status: 'failed', failure: 'ValueError: no' }), 'ValueError: no');
  assert.equal(reason({ status: 'failed', reason: 'error' }), 'error');
  assert.equal(reason({ status: 'failed', failure: 'ValueError: no', ...bad }), 'NaN at 1,200');
  assert.equal(reason({ status: 'complete', ...bad }), 'NaN at 1,200');
  assert.equal(reason({ status: 'cancelled', reason: 'interrupted', dropped: 5 }), 'interrupted, points dropped');
  assert.match(reason({ status: 'cancelled', reason: 'silent' }), /^silent since \d\d:\d\d$/);
  assert.equal(sessions.fullReasonOf(session('x', { dropped: 5000 }), 2000), 'points dropped: 5,000');
  assert.equal(reason({ status: 'complete', dropped: 5, refused: 1 }), 'points dropped');
  assert.equal(sessions.fullReasonOf(session('x', { status: 'complete', refused: 12 }), 2000), '12 not stored');
  assert.equal(sessions.fullReasonOf(session('x', { refused: undefined }), 2000), '');
  assert.equal(sessions.lackOf(session('x', { refused: 1200 })), '1.2k not stored');
  assert.equal(sessions.lackOf(session('x', { refused: undefined })), '');
});

test('the best of a graph is of held-out metrics where there are any', () => {
  const one = { session: session('one'), graph: graph({ train: { min: 1, max: 8 }, val: { min: 3, max: 5 } }) };
  const two = { session: session('two'), graph: graph({ train: { min: 0, max: 9 }, val: { min: 'NaN', max: 6 } }) };
  const best = (records, kind) => {
    const found = sessions.bestOf(records, kind, isHeldOut);
    return found && [found.session.id, found.name, found.value];
  };
  assert.deepEqual(best([one, two], 'min'), ['one', 'val', 3]);
  assert.deepEqual(best([one, two], 'max'), ['two', 'val', 6]);
  assert.deepEqual(best([{ ...two, graph: graph({ train: { min: 0 } }) }], 'min'), ['two', 'train', 0]);
  assert.equal(best([{ ...two, graph: graph({ val: { min: 'NaN' } }) }], 'min'), null);
});
