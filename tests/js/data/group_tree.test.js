// The groups of the table: loaded when they are opened, and brought up to date in their order.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { chosen, countOf } from '../../../server/static/js/data/chosen.js';
import { isGroupChosen, selectGroup, toggleGroup } from '../../../server/static/js/data/group_choice.js';
import * as tree from '../../../server/static/js/data/group_tree.js';
import { fold, groupBy } from '../../../server/static/js/data/grouping.js';
import * as store from '../../../server/static/js/data/store.js';
import { isGrouped, rowAt, rowCount, sessionsBetween } from '../../../server/static/js/data/table_rows.js';
import { installBrowser, installServer, page, session, settle } from '../support.js';

const { state } = store;
let server;

installBrowser();
tree.start();

const group = (q, sessions = 1, fields = {}) => ({
  value: q,
  kind: 'text',
  label: q,
  q,
  sessions,
  counts: {},
  stats: {},
  same: {},
  updated_at: 1,
  ...fields,
});
const groups = (...all) => ({ groups: all, total: all.length, next: null });
const rows = () =>
  Array.from({ length: rowCount() }, (_, at) => rowAt(at)).map(({ kind, id, node }) => node?.q ?? (id || kind));

beforeEach(async () => {
  installBrowser({ search: '?q=resnet' });
  server = installServer();
  store.start();
  groupBy([]);
});

async function grouped(...all) {
  groupBy(['lr']);
  const request = await server.next();
  request.answer(groups(...all));
  await settle();
  return request;
}

test('groups are asked for with the query, and opened with both', async () => {
  const request = await grouped(group('lr=1', 2), group('lr=2'));
  assert.deepEqual(
    [request.path, request.query.get('q'), request.query.get('by')],
    ['/api/v2/sessions/groups', 'resnet', 'lr'],
  );
  assert.deepEqual(rows(), ['lr=1', 'lr=2']);
  fold('lr=1', true);
  assert.deepEqual(rows(), ['lr=1', 'wait', 'lr=2']);
  const inner = await server.next();
  assert.deepEqual([inner.path, inner.query.get('q')], ['/api/v2/sessions', 'resnet and lr=1']);
  inner.answer(page([session('a'), session('b')]));
  await settle();
  assert.deepEqual(rows(), ['lr=1', 'a', 'b', 'lr=2']);
  assert.deepEqual(sessionsBetween(rowAt(0).key, rowAt(2).key), ['a', 'b']);
  fold('lr=1', false);
  assert.deepEqual(rows(), ['lr=1', 'lr=2']);
  groupBy([]);
  assert.equal(isGrouped(), false);
});

test('live changes keep the order that is read; a choice of another does not', async () => {
  await grouped(group('lr=1'), group('lr=2'));
  const refreshed = tree.refresh(true);
  (await server.next()).answer(groups(group('lr=3'), group('lr=2'), group('lr=1')));
  await refreshed;
  assert.deepEqual(rows(), ['lr=3', 'lr=1', 'lr=2']);
  store.setQuery({ sort: 'min(loss)' });
  const request = await server.next();
  assert.equal(request.query.get('sort'), 'min(loss)');
  request.answer(groups(group('lr=3'), group('lr=2'), group('lr=1')));
  await settle();
  assert.deepEqual(rows(), ['lr=3', 'lr=2', 'lr=1']);
});

test('an open group is loaded again once it has changed', async () => {
  await grouped(group('lr=1', 1));
  fold('lr=1', true);
  (await server.next()).answer(page([session('a')]));
  await settle();
  const same = tree.refresh(true);
  (await server.next()).answer(groups(group('lr=1', 1)));
  await same;
  assert.equal(server.waiting.length, 0);
  const other = tree.refresh(true);
  (await server.next()).answer(groups(group('lr=1', 2)));
  (await server.next()).answer(page([session('b'), session('a')]));
  await other;
  assert.deepEqual(rows(), ['lr=1', 'b', 'a']);
});

test('a group that is shown is in the address', () => {
  installBrowser();
  store.start();
  toggleGroup('lr=1');
  assert.equal(isGroupChosen('lr=1'), true);
  assert.deepEqual([state.groups, history.address], [[{ q: 'lr=1', label: 'lr = 1' }], '?g=lr%3D1&x=step']);
  toggleGroup('lr=1');
  assert.equal(isGroupChosen('lr=1'), false);
});

async function chosenGroup() {
  await grouped(group('lr=1', 2), group('lr=2', 1));
  store.chooseAllMatching(tree.groupWithin(rowAt(0).node));
}

test('a chosen group has as many sessions as it has now, and is chosen until it is gone', async () => {
  await chosenGroup();
  assert.equal(countOf(chosen()), 2);
  const refreshed = tree.refresh(true);
  (await server.next()).answer(groups(group('lr=1', 5), group('lr=2', 1)));
  await refreshed;
  assert.equal(countOf(chosen()), 5);
  const other = tree.refresh(true);
  (await server.next()).answer(groups(group('lr=2', 1)));
  await other;
  assert.deepEqual([state.allMatching, state.within], [false, null]);
});

test('other levels end the choice of a group', async () => {
  await chosenGroup();
  groupBy(['model']);
  assert.equal(state.allMatching, false);
});

test('a session outside the chosen group begins another choice', async () => {
  await chosenGroup();
  store.toggle('z');
  assert.deepEqual([state.allMatching, state.selected], [false, ['z']]);
});

test('a group in the graphs has the sessions that its row counts, also after a reload', () => {
  installBrowser({ search: '?q=resnet&status=failed' });
  store.start();
  toggleGroup('lr=1');
  const shown = [{ q: 'resnet and status=failed and lr=1', label: 'lr = 1 (resnet, failed)' }];
  assert.deepEqual([state.groups, isGroupChosen('lr=1')], [shown, true]);
  installBrowser({ search: history.address });
  store.start();
  assert.deepEqual([state.groups, isGroupChosen('lr=1')], [shown, true]);
  store.setQuery({ status: '' });
  assert.deepEqual([state.groups, isGroupChosen('lr=1')], [shown, false]);
  toggleGroup('lr=1');
  assert.deepEqual(state.groups[1].q, 'resnet and lr=1');
});

test('an answer that was asked for before the order changed is not shown', async () => {
  await grouped(group('lr=1', 2));
  fold('lr=1', true);
  const old = await server.next();
  store.setQuery({ sort: 'tag' });
  old.answer(page([session('a'), session('b')], { next: 'of the old order' }));
  (await server.next()).answer(groups(group('lr=1', 2)));
  const fresh = await server.next();
  assert.deepEqual([fresh.query.get('sort'), rows()], ['tag', ['lr=1', 'wait']]);
  fresh.answer(page([session('b'), session('a')]));
  await settle();
  assert.deepEqual(rows(), ['lr=1', 'b', 'a']);
});

test('what changes while a group is loaded is asked for once more', async () => {
  await grouped(group('lr=1', 1));
  fold('lr=1', true);
  const first = await server.next();
  store.emit('edited');
  first.answer(page([session('a')]));
  await settle();
  assert.deepEqual(rows(), ['lr=1', 'a']);
  const refreshed = tree.refresh(true);
  (await server.next()).answer(groups(group('lr=1', 1)));
  (await server.next()).answer(page([session('b')]));
  await refreshed;
  assert.deepEqual(rows(), ['lr=1', 'b']);
});

test('the next page is not of another order than those before', async () => {
  await grouped(group('lr=1', 200));
  fold('lr=1', true);
  const first = Array.from({ length: 100 }, (_, at) => session(`s${at}`));
  (await server.next()).answer(page(first, { next: 'of the old order' }));
  await settle();
  const { branch } = rowAt(0).node;
  store.setQuery({ sort: 'tag' });
  await tree.loadMore(branch);
  const request = await server.next();
  assert.deepEqual([request.path, server.waiting.length], ['/api/v2/sessions/groups', 0]);
});

test('a group that the server refuses says so in its row, and the grouping stays', async () => {
  await grouped(group('lr=1', 1), group('lr=2', 1));
  fold('lr=1', true);
  (await server.next()).answer({ error: 'the query is too long' }, 400);
  await settle();
  assert.deepEqual(
    [state.by, rows(), rowAt(1).branch.error],
    [['lr'], ['lr=1', 'error', 'lr=2'], 'the query is too long'],
  );
  const again = tree.loadMore(rowAt(1).branch);
  (await server.next()).answer(page([session('a')]));
  await again;
  assert.deepEqual(rows(), ['lr=1', 'a', 'lr=2']);
});

test('showing a group alone is one step of the back button', () => {
  for (const search of ['?s=a&s=b&x=step', '?s=none&x=step', '?g=lr%3D2&s=a&x=step']) {
    installBrowser({ search });
    store.start();
    selectGroup('lr=1');
    assert.deepEqual([history.pushed, history.address], [1, '?s=none&g=lr%3D1&x=step'], search);
  }
});
