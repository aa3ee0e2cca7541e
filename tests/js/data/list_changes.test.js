import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { changes, installBrowser, installServer, page, session, settle } from '../support.js';

let store;
let rows;
let live;
let server;
let started;
let arrived;
let deleted;

before(async () => {
  installBrowser();
  store = await import('../../../server/static/js/data/store.js');
  rows = await import('../../../server/static/js/data/session_list.js');
  live = await import('../../../server/static/js/data/list_changes.js');
  store.start();
  store.on('started', (ids) => started.push(...ids));
  store.on('arrived', (id) => arrived.push(id));
  store.on('deleted', (id) => deleted.push(id));
});

beforeEach(async () => {
  server = installServer();
  store.sessions.clear();
  [started, arrived, deleted] = [[], [], []];
  Object.assign(store.state, { q: '', status: '', sort: '-created_at', selected: [], automatic: true });
});

const { list } = await (async () => {
  installBrowser();
  return import('../../../server/static/js/data/list_state.js');
})();

async function load(sessions, fields) {
  const loading = rows.reload();
  (await server.next()).answer(page(sessions, fields));
  await loading;
}

const at = (id, created_at, fields) => session(id, { created_at, ...fields });
const fresh = (id, created_at, fields) => at(id, created_at, { new: true, ...fields });

/** The page's next request, which is for changes since `cursor`. */
async function nextChanges(cursor) {
  let request = await server.next();
  while (request.query.get('limit') === '1') request = await server.next(); // the chips'
  assert.equal(request.path, '/api/v2/sessions/changes');
  assert.equal(request.query.get('since'), cursor);
  return request;
}

async function nextRequest() {
  let request = await server.next();
  while (request.query.get('limit') === '1') request = await server.next();
  return request;
}

test('a session that starts goes to its place by its time, whatever its clock says', async () => {
  await load([at('ahead', 5000), at('b', 2000), at('a', 1000)]);
  live.receive(fresh('c', 3000));
  live.receive(fresh('old', 1));
  live.receive(fresh('further', 9000));
  live.receive(fresh('same', 2000));
  assert.deepEqual(list.ids, ['further', 'ahead', 'c', 'same', 'b', 'a', 'old']);
  assert.deepEqual(arrived, ['c', 'old', 'further', 'same']);
  assert.deepEqual(started, ['c', 'old', 'further', 'same']);
  assert.equal(list.unplaced.size, 0);
});

test('one whose place is on a page that is not loaded comes with it', async () => {
  await load([at('c', 3000), at('b', 2000)], { next: 'more' });
  live.receive(fresh('early', 500));
  assert.deepEqual(list.ids, ['c', 'b']);
  const more = rows.loadMore();
  (await nextRequest()).answer(page([at('a', 1000)], { next: 'last' })); // of a moment before
  await more;
  assert.deepEqual(list.ids, ['c', 'b', 'a']);
  const last = rows.loadMore();
  (await nextRequest()).answer(page([at('z', 100)]));
  await last;
  assert.deepEqual(list.ids, ['c', 'b', 'a', 'early', 'z']);
});

test('in another order what is new is announced, and what may be on a later page is not', async () => {
  store.state.sort = '-last_x';
  await load([session('a', { last_x: 90 }), session('b', { last_x: 80 })], { next: 'more' });
  live.receive(fresh('new', 2000));
  live.receive(session('beyond', { last_x: 70, version: 5 }));
  live.receive(session('overtakes', { last_x: 85, version: 5 }));
  assert.deepEqual(list.ids, ['a', 'b']);
  assert.deepEqual([...list.unplaced], ['new']);
  const more = rows.loadMore();
  (await nextRequest()).answer(page([session('beyond', { last_x: 70, version: 5 })]));
  await more;
  assert.deepEqual(list.ids, ['a', 'b', 'beyond']);
  assert.deepEqual([...list.unplaced], ['new', 'overtakes']);
});

test('what was announced and comes with a later page is announced no more', async () => {
  store.state.sort = 'tag';
  await load([session('a')], { next: 'more' });
  live.receive(fresh('z', 2000));
  assert.deepEqual([...list.unplaced], ['z']);
  const more = rows.loadMore();
  (await nextRequest()).answer(page([fresh('z', 2000)]));
  await more;
  assert.deepEqual([list.ids, [...list.unplaced]], [['a', 'z'], []]);
});

test('the first session of an empty table needs no place', async () => {
  store.state.sort = 'tag';
  await load([]);
  live.receive(fresh('a', 1000));
  live.receive(fresh('b', 1000));
  assert.deepEqual([list.ids, [...list.unplaced]], [['a'], ['b']]);
});

test('a known session begins to match, ceases to, and matches again', async () => {
  store.state.status = 'failed';
  await load([at('x', 2000, { status: 'failed' })]);
  live.receive(fresh('y', 1000));
  assert.deepEqual(list.ids, ['x']);
  live.receive(at('y', 1000, { status: 'failed', version: 2 }));
  assert.deepEqual(list.ids, ['x', 'y']);
  live.receive(at('y', 1000, { status: 'active', version: 3 }));
  assert.deepEqual([list.ids, [...list.unmatched]], [['x', 'y'], ['y']]);
  live.receive(at('y', 1000, { status: 'failed', version: 4 }));
  assert.deepEqual([list.ids, [...list.unmatched]], [['x', 'y'], []]);
});

test('one that ends is announced in the filter of its status, in any order', async () => {
  Object.assign(store.state, { status: 'failed', sort: 'tag' });
  await load([at('x', 2000, { status: 'failed' })], { next: 'more' });
  live.receive(at('y', 1000, { status: 'failed', version: 9 }));
  assert.deepEqual([...list.unplaced], ['y']);
  live.receive(at('y', 1000, { version: 10 }));
  assert.deepEqual([...list.unplaced], []);
});

test('with a query the server says what matches', async () => {
  store.state.q = 'lr<1';
  await load([at('a', 1000), at('b', 900)]);
  live.receive(fresh('c', 3000));
  live.receive(fresh('d', 2000));
  live.receive(at('a', 1000, { version: 2 }));
  assert.deepEqual(list.ids, ['a', 'b']);
  const request = await nextChanges('c1');
  assert.equal(request.query.get('q'), 'lr<1');
  request.answer(changes([at('c', 3000)], { new: ['c'], gone: ['d', 'a'] }));
  const lookedUp = await nextRequest();
  assert.equal(lookedUp.query.get('q'), 'id=a');
  lookedUp.answer(page([at('a', 1000, { version: 2 })]));
  await settle();
  assert.deepEqual([list.ids, [...list.unmatched], list.cursor], [['c', 'a', 'b'], ['a'], 'c2']);
  assert.deepEqual(deleted, []);
});

test('an older version of a session is ignored', async () => {
  await load([session('a', { version: 5, last_x: 50 })]);
  live.receive(session('a', { version: 4, last_x: 40 }));
  assert.equal(store.sessions.get('a').last_x, 50);
  live.receive(session('a', { version: 6, last_x: 60 }));
  assert.equal(store.sessions.get('a').last_x, 60);
});

test('catching up brings every row up to date, adds and removes', async () => {
  await load([at('c', 3000), at('b', 2000), at('a', 1000)]);
  const catching = live.catchUp();
  (await nextChanges('c1')).answer(
    changes([at('a', 1000, { version: 2, status: 'failed' }), at('d', 2500)], {
      new: ['d'],
      gone: ['b', 'unknown'],
      removed: ['b'],
    }),
  );
  await catching;
  assert.deepEqual(list.ids, ['c', 'd', 'a']);
  assert.deepEqual([deleted, started, list.lastDeleted.id], [['b'], ['d'], 'b']);
  assert.equal(store.sessions.get('a').status, 'failed');
});

test('catching up in a filter looks up what is gone: it may be there', async () => {
  store.state.status = 'active';
  await load([at('c', 3000), at('b', 2000)]);
  const catching = live.catchUp();
  (await nextChanges('c1')).answer(changes([], { gone: ['c', 'b'] }));
  const lookedUp = await nextRequest();
  assert.equal(lookedUp.query.get('q'), 'id=c or id=b');
  assert.equal(lookedUp.query.get('status'), null);
  lookedUp.answer(page([at('b', 2000, { status: 'complete', version: 2 })]));
  for (const [place, found] of [
    ['archive', []],
    ['bin', [at('c', 3000, { deleted_at: 4000, version: 2 })]],
  ]) {
    const other = await nextRequest();
    assert.deepEqual([other.query.get('in'), other.query.get('q')], [place, 'id=c']);
    other.answer(page(found));
  }
  await catching;
  assert.deepEqual([list.ids, deleted, [...list.unmatched]], [['b'], [], ['b']]);
  assert.equal(store.sessions.get('b').status, 'complete');
});

test('catching up removes what is nowhere in the project', async () => {
  store.state.status = 'active';
  await load([at('c', 3000)]);
  const catching = live.catchUp();
  (await nextChanges('c1')).answer(changes([], { gone: ['c'] }));
  for (const _place of ['', 'archive', 'bin']) (await nextRequest()).answer(page([]));
  await catching;
  assert.deepEqual([list.ids, deleted], [[], ['c']]);
});

test('after too many changes all rows are loaded again', async () => {
  const ids = Array.from({ length: 150 }, (_, number) => `s${number}`);
  await load(
    ids.map((id, number) => at(id, 1000 - number)),
    { next: 'more' },
  );
  store.state.selected = ['elsewhere'];
  store.sessions.set('elsewhere', session('elsewhere'));
  const catching = live.catchUp();
  (await nextChanges('c1')).answer({ cursor: 'c2', reset: true });
  const request = await nextRequest();
  assert.equal(request.query.get('limit'), '150');
  request.answer(
    page([at('new', 2000), ...ids.slice(0, 149).map((id, number) => at(id, 1000 - number))], { cursor: 'c3' }),
  );
  const other = await nextRequest();
  assert.equal(other.path, '/api/v2/sessions/elsewhere');
  other.answer({ error: 'gone' }, 404);
  await catching;
  assert.deepEqual([list.ids.length, list.ids[0], list.cursor], [150, 'new', 'c3']);
  assert.deepEqual([started, deleted], [['new'], ['elsewhere']]);
});

test('what arrives while rows are loaded is asked for afterwards', async () => {
  await load([at('a', 1000)]);
  const loading = rows.reload();
  const request = await nextRequest();
  live.receive(fresh('b', 2000));
  await new Promise((done) => setTimeout(done, 1_100));
  request.answer(page([at('a', 1000)], { cursor: 'c7' }));
  await loading;
  (await nextChanges('c7')).answer(changes([at('b', 2000)], { new: ['b'] }));
  await settle();
  assert.deepEqual(list.ids, ['b', 'a']);
});

test('an answer to an earlier query is dropped, and what it told is asked for again', async () => {
  await load([at('a', 1000)]);
  const catching = live.catchUp();
  const request = await nextChanges('c1');
  store.state.q = 'other';
  const loading = rows.reload();
  (await nextRequest()).answer(page([at('z', 500)], { cursor: 'c8' }));
  await loading;
  request.answer(changes([at('b', 5000)], { new: ['b'] }));
  await catching;
  assert.deepEqual(list.ids, ['z']);
  (await nextChanges('c8')).answer(changes([]));
  await settle();
});

test('what the stream brings while changes are asked for is later than their answer', async () => {
  store.state.status = 'failed';
  await load([at('x', 2000, { status: 'failed' }), at('y', 1000, { status: 'failed' })]);
  const catching = live.catchUp();
  const request = await nextChanges('c1');
  live.receive(at('z', 3000, { status: 'failed', version: 3 }));
  live.receive(at('y', 1000, { status: 'failed', version: 3 }));
  live.receiveDeleted({ id: 'x' });
  request.answer(changes([at('x', 2000, { status: 'failed', version: 2 })], { gone: ['y', 'z'] }));
  await catching;
  assert.deepEqual([[...list.ids].sort(), [...list.unmatched]], [['x', 'y', 'z'], []]);
  (await nextChanges('c2')).answer(changes([], { cursor: 'c3', gone: ['x'], removed: ['x'] }));
  await settle();
  assert.deepEqual(list.ids, ['z', 'y']);
});

const graph = (id, last, fields) => ({
  id,
  title: id,
  kind: 'min',
  xlabel: '',
  ylabel: '',
  names: ['loss'],
  stats: { loss: statistic(last) },
  ...fields,
});
const statistic = (last) => ({
  min: 0.5,
  min_x: 1,
  max: 2,
  max_x: 0,
  last,
  last_x: 9,
  count: 10,
  nan: 0,
  nan_x: null,
});
const told = (last) => ({ stats: { loss: [0.5, 1, 2, 0, last, 9, 10] } });
const change = (id, from, version, fields) => {
  const { params, values, stats, graphs, ...small } = session(id, { created_at: 1, version });
  return { ...small, from, graphs: {}, ...fields };
};

test('a change of a large session is taken in by who has what it leads from', async () => {
  const params = { lr: 0.1 };
  await load([at('a', 1, { version: 3, params, graphs: [graph('g', 1), graph('h', 2)] })]);
  live.receiveChange(change('a', 2, 4, { graphs: { h: told(7) }, points: 21 }));
  const known = store.sessions.get('a');
  assert.deepEqual(known.graphs, [graph('g', 1), graph('h', 7)]);
  assert.deepEqual(Object.keys(known.stats), ['g/loss', 'h/loss']);
  assert.deepEqual(known.stats['h/loss'], { min: 0.5, max: 2, last: 7, count: 10 });
  assert.deepEqual(known.params, params);
  assert.deepEqual([known.version, known.points, 'from' in known], [4, 21, false]);
  live.receiveChange(change('a', 2, 4, { points: 22 })); // of another stream
  assert.equal(store.sessions.get('a'), known);
  const labels = { title: 'i', kind: 'min', xlabel: '', ylabel: '' };
  live.receiveChange(change('a', 4, 5, { graphs: { i: { ...labels, ...told(3) } }, values: { best: 1 } }));
  assert.deepEqual(store.sessions.get('a').graphs[2], graph('i', 3));
  assert.deepEqual(store.sessions.get('a').values, { best: 1 });
  assert.deepEqual(server.waiting, []);
});

test('who lacks more than a change asks for the rest', async () => {
  await load([at('a', 1, { version: 3, graphs: [] })], { cursor: 'c1' });
  live.receiveChange(change('a', 4, 5));
  assert.equal(store.sessions.get('a').version, 3);
  const whole = at('a', 1, { version: 6, graphs: [graph('g', 1)] });
  (await nextChanges('c1')).answer(changes([whole], { cursor: 'c2' }));
  await settle();
  assert.equal(store.sessions.get('a').version, 6);
  live.receiveChange(change('a', 6, 7, { graphs: { unknown: told(1) } })); // without its labels
  (await nextChanges('c2')).answer(changes([], { cursor: 'c3' }));
  await settle();
  live.receiveChange(change('b', 4, 5)); // on a page that is not loaded
  (await nextChanges('c3')).answer(changes([], { cursor: 'c4' }));
  await settle();
  store.state.status = 'failed';
  live.receiveChange(change('c', 4, 5)); // not for this table
  await new Promise((done) => setTimeout(done, 1500));
  assert.deepEqual(server.waiting, []);
});

test('a failure is told to who polls, and the cursor stays', async () => {
  await load([at('a', 1000)]);
  const catching = live.catchUp();
  (await nextChanges('c1')).answer({ error: 'busy' }, 503);
  await assert.rejects(catching, { status: 503 });
  store.state.status = 'active';
  const again = live.catchUp();
  (await nextChanges('c1')).answer(changes([], { gone: ['a'] }));
  (await nextRequest()).fail(); // what has become of it
  await assert.rejects(again, { status: 0 });
  const third = live.catchUp();
  (await nextChanges('c1')).answer(changes([]));
  await third;
  assert.equal(list.cursor, 'c2');
});
