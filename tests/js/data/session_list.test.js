import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { installBrowser, installServer, page, session, settle } from '../support.js';

let store;
let rows;
let summary;
let server;

before(async () => {
  installBrowser();
  store = await import('../../../server/static/js/data/store.js');
  rows = await import('../../../server/static/js/data/session_list.js');
  summary = await import('../../../server/static/js/data/list_summary.js');
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

test('a page that fails for a while is tried again, and the table does not end', async (t) => {
  await load([session('a')], { next: 'cursor', total: 2 });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const more = rows.loadMore();
  (await server.next()).answer({ error: 'The database is busy.' }, 503);
  await more;
  assert.deepEqual([rows.list.error, rows.list.next, rows.list.ids], ['The database is busy.', 'cursor', ['a']]);
  await rows.loadMore(); // drawing asks for it again and again
  t.mock.timers.tick(900);
  assert.equal(server.waiting.length, 0);
  t.mock.timers.tick(200);
  (await server.next()).fail();
  await new Promise(setImmediate);
  assert.equal(rows.list.error, 'The server does not respond.');
  t.mock.timers.tick(1_100); // twice as long now
  assert.equal(server.waiting.length, 0);
  rows.retryNow();
  const request = await server.next();
  assert.equal(request.query.get('cursor'), 'cursor');
  request.answer(page([session('b')]));
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.deepEqual([rows.list.error, rows.list.next, rows.list.ids], [null, null, ['a', 'b']]);
});

test('a filter that cannot be loaded yet leaves the rows, marked as those of another one, and is tried again', async (t) => {
  await load([session('a')]);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  store.state.status = 'failed';
  const loading = rows.reload();
  (await server.next()).answer(null, 502);
  await loading;
  assert.deepEqual([rows.list.ids, rows.list.isStale, rows.list.rejected], [['a'], true, false]);
  t.mock.timers.tick(1_100);
  (await server.next()).answer(page([session('f', { status: 'failed' })]));
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.deepEqual([rows.list.ids, rows.list.isStale, rows.list.error], [['f'], false, null]);
});

test('all rows are loaded again in few requests', async () => {
  const ids = Array.from({ length: 1_100 }, (_, number) => `s${number}`);
  await load(
    ids.map((id) => session(id)),
    { next: 'more' },
  );
  const loading = rows.reloadAll();
  const first = await server.next();
  assert.equal(first.query.get('limit'), '1000');
  first.answer(
    page(
      ids.slice(100).map((id) => session(id)),
      { next: 'second', cursor: 'c5' },
    ),
  );
  const second = await server.next();
  assert.deepEqual([second.query.get('cursor'), second.query.get('counts')], ['second', '0']);
  second.answer(page([session('s0')], { next: 'third', cursor: 'c6' }));
  await loading;
  assert.equal(rows.list.ids.length, 1_001);
  assert.deepEqual([rows.list.next, rows.list.cursor], ['third', 'c5']);
});

test('a session that has not changed stays the same object', async () => {
  await load([session('a')]);
  const kept = store.sessions.get('a');
  await load([session('a')]);
  assert.equal(store.sessions.get('a'), kept);
  await load([session('a', { status: 'cancelled' })]); // the status of a silent session changes without a version
  assert.equal(store.sessions.get('a').status, 'cancelled');
});

test('the best values come once for a filter', async () => {
  await load([session('a')], { next: 'more', total: 200 });
  const listed = new Promise((done) => store.on('list', done, { once: true }));
  summary.requestBest(['min(loss)', 'max(acc)']);
  summary.requestBest(['min(loss)', 'max(acc)']);
  const request = await server.next();
  assert.deepEqual(request.query.getAll('best'), ['min(loss)', 'max(acc)']);
  assert.equal(request.query.get('limit'), '1');
  request.answer(page([], { total: 200, best: { 'min(loss)': 0.25 } }));
  await listed;
  assert.deepEqual(rows.list.best, { 'min(loss)': 0.25 });
  summary.requestBest(['min(loss)', 'max(acc)']);
  await settle();
  assert.equal(server.waiting.length, 0);
});
