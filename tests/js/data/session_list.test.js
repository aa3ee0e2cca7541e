import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { installBrowser, installServer, page, session, settle } from '../support.js';

let store;
let rows;
let server;

before(async () => {
  installBrowser();
  store = await import('../../../server/static/js/data/store.js');
  rows = await import('../../../server/static/js/data/session_list.js');
  store.start();
});

beforeEach(async () => {
  server = installServer();
  store.sessions.clear();
  Object.assign(store.state, { q: '', status: '', sort: '-created_at' });
});

async function load(sessions, fields) {
  const loading = rows.reload();
  const request = await server.next();
  request.answer(page(sessions, fields));
  await loading;
  return request;
}

test('the first page is asked for by the query', async () => {
  Object.assign(store.state, { q: 'resnet', status: 'failed', sort: 'tag' });
  const { path, query } = await load([session('a'), session('b')], { next: 'more', total: 12 });
  assert.equal(path, '/api/v2/sessions');
  assert.deepEqual(Object.fromEntries(query), {
    project_id: '7',
    q: 'resnet',
    status: 'failed',
    sort: 'tag',
    limit: '100',
  });
  assert.deepEqual(rows.list.ids, ['a', 'b']);
  assert.equal(rows.list.total, 12);
});

test('another order is asked for without counts', async () => {
  await load([session('a')], { next: 'more', total: 12 });
  store.state.sort = 'tag';
  const loading = rows.reload();
  const request = await server.next();
  assert.equal(request.query.get('counts'), '0');
  request.answer({ sessions: [session('b')], next: null });
  await loading;
  assert.deepEqual([rows.list.total, rows.list.counts.active], [12, 1]);
  store.state.q = 'other';
  const { query } = await load([session('b')]);
  assert.equal(query.get('counts'), null);
});

test('a new query aborts the one before', async () => {
  const first = rows.reload();
  const old = await server.next();
  const second = rows.reload();
  (await server.next()).answer(page([session('new')]));
  old.answer(page([session('old')]));
  await Promise.all([first, second]);
  assert.deepEqual(rows.list.ids, ['new']);
});

test('the next page follows, without the rows that are here', async () => {
  await load([session('a'), session('b')], { next: 'cursor', total: 3 });
  const more = rows.loadMore();
  const request = await server.next();
  assert.equal(request.query.get('cursor'), 'cursor');
  request.answer(page([session('b'), session('c')], { total: 3 }));
  await more;
  assert.deepEqual(rows.list.ids, ['a', 'b', 'c']);
  await rows.loadMore();
  assert.equal(server.waiting.length, 0);
});

test('a rejected query empties the table, a server that does not respond leaves it', async () => {
  await load([session('a')]);
  let loading = rows.reload();
  (await server.next()).fail();
  await loading;
  assert.deepEqual(
    [rows.list.ids, rows.list.error, rows.list.rejected],
    [['a'], 'The server does not respond.', false],
  );
  loading = rows.reload();
  (await server.next()).answer({ error: "'sort' is wrong" }, 400);
  await loading;
  assert.deepEqual([rows.list.ids, rows.list.error, rows.list.rejected], [[], "'sort' is wrong", true]);
});

test('a session that starts comes first in the default order', async () => {
  await load([session('a', { created_at: 1000 })]);
  const arrived = [];
  store.on('arrived', (id) => arrived.push(id));
  rows.update(session('b', { created_at: 2000 }));
  rows.update(session('old', { created_at: 1 }));
  assert.deepEqual(rows.list.ids, ['b', 'a']);
  assert.deepEqual(arrived, ['b']);
});

test('in another order its place is not known', async () => {
  store.state.sort = 'tag';
  await load([session('a')]);
  rows.update(session('b', { created_at: 2000 }));
  assert.deepEqual(rows.list.ids, ['a']);
  assert.deepEqual([...rows.list.unplaced], ['b']);
});

test('an older version of a session is ignored', async () => {
  await load([session('a', { version: 5, last_x: 50 })]);
  rows.update(session('a', { version: 4, last_x: 40 }));
  assert.equal(store.sessions.get('a').last_x, 50);
  rows.update(session('a', { version: 6, last_x: 60 }));
  assert.equal(store.sessions.get('a').last_x, 60);
});

test('a session that has not changed stays the same object', async () => {
  await load([session('a')]);
  const kept = store.sessions.get('a');
  await load([session('a')]);
  assert.equal(store.sessions.get('a'), kept);
  await load([session('a', { status: 'cancelled' })]); // the status of a silent session changes without a version
  assert.equal(store.sessions.get('a').status, 'cancelled');
});

test('catching up adds new rows and removes those that were deleted', async () => {
  await load([session('b', { created_at: 2000 }), session('a', { created_at: 1000 })]);
  const deleted = [];
  store.on('deleted', (id) => deleted.push(id));
  const refreshing = rows.refresh();
  (await server.next()).answer(page([session('c', { created_at: 3000 }), session('b', { created_at: 2000 })]));
  const lookedUp = await server.next();
  assert.equal(lookedUp.path, '/api/v2/sessions/a');
  lookedUp.answer({ error: 'gone' }, 404);
  await refreshing;
  assert.deepEqual(rows.list.ids, ['c', 'b']);
  assert.deepEqual(deleted, ['a']);
  assert.equal(rows.list.lastDeleted.id, 'a');
});

test('a row that the filter no longer lets through stays', async () => {
  store.state.status = 'active';
  await load([session('a')]);
  const refreshing = rows.refresh();
  (await server.next()).answer(page([]));
  (await server.next()).answer(session('a', { status: 'complete', version: 2 }));
  await refreshing;
  assert.deepEqual(rows.list.ids, ['a']);
  assert.equal(store.sessions.get('a').status, 'complete');
});

test('an answer to an earlier query is dropped', async () => {
  await load([session('a')]);
  const refreshing = rows.refresh();
  const request = await server.next();
  store.state.q = 'other';
  request.answer(page([session('b', { created_at: 5000 })]));
  await refreshing;
  assert.deepEqual(rows.list.ids, ['a']);
});

test('the best values come once for a filter', async () => {
  await load([session('a')], { next: 'more', total: 200 });
  const listed = new Promise((done) => store.on('list', done, { once: true }));
  rows.requestBest(['min(loss)', 'max(acc)']);
  rows.requestBest(['min(loss)', 'max(acc)']);
  const request = await server.next();
  assert.deepEqual(request.query.getAll('best'), ['min(loss)', 'max(acc)']);
  assert.equal(request.query.get('limit'), '1');
  request.answer(page([], { total: 200, best: { 'min(loss)': 0.25 } }));
  await listed;
  assert.deepEqual(rows.list.best, { 'min(loss)': 0.25 });
  rows.requestBest(['min(loss)', 'max(acc)']);
  await settle();
  assert.equal(server.waiting.length, 0);
});
