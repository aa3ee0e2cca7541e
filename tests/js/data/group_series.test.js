import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { installBrowser, installServer, session, settle } from '../support.js';

let store;
let choice;
let series;
let members;
let server;

before(async () => {
  installBrowser();
  store = await import('../../../server/static/js/data/store.js');
  choice = await import('../../../server/static/js/data/group_choice.js');
  series = await import('../../../server/static/js/data/group_series.js');
  members = await import('../../../server/static/js/data/group_members.js');
  store.start();
  server = installServer();
  members.start();
  series.start(() => ({ x0: 10, x1: 20 }));
});

const columns = { x: [0], n: [2], mean: [1], sd: [0.5], min: [0.5], max: [1.5], nan: [0], inf: [0] };
const body = (fields) => ({
  sessions: 2,
  used: 2,
  active: 1,
  steps: null,
  size: 1,
  series: { loss: columns },
  ...fields,
});

/** Choose a group with a graph. */
async function chosen(q, ids = ['a']) {
  choice.toggleGroup(q);
  const request = await server.next();
  assert.deepEqual([request.path, request.query.get('q')], ['/api/v2/series/groups/graphs', q]);
  request.answer({ sessions: ids.length, ids, graphs: [{ title: 'loss', kind: 'min', xlabel: '', ylabel: '' }] });
  await settle();
}

async function answered(fields) {
  const request = await server.next();
  assert.equal(request.path, '/api/v2/series/groups');
  request.answer(body(fields));
  await settle();
  return request;
}

test('a group is chosen and left again, and the address tells', async () => {
  await chosen('lr=1');
  assert.equal(choice.isGroupChosen('lr=1'), true);
  assert.match(location.search, /g=lr%3D1/);
  assert.deepEqual(
    members.graphsOf('lr=1').map(({ title }) => title),
    ['loss'],
  );
  choice.toggleGroup('lr=1');
  assert.equal(choice.isGroupChosen('lr=1'), false);
  assert.equal(members.graphsOf('lr=1'), null);
  assert.doesNotMatch(location.search, /g=/);
});

test('a group has a color of its own', async () => {
  store.select(['s']);
  await chosen('lr=2');
  assert.notEqual(store.palette.color('g:lr=2'), store.palette.color('s'));
});

test('only cards that are in sight are fetched', async () => {
  await chosen('lr=3');
  series.want('lr=3', 'loss', null);
  await settle();
  assert.equal(server.waiting.length, 0);
  series.want('lr=3', 'loss', 410);
  const request = await answered();
  assert.deepEqual(
    ['project_id', 'q', 'title', 'width', 'x0'].map((name) => request.query.get(name)),
    ['7', 'lr=3', 'loss', '450', null],
  );
  assert.deepEqual(series.layerOf('lr=3', 'loss').series.get('loss'), columns);
});

test('when a session of the group changes it is fetched again, and not at once', async () => {
  await chosen('lr=4', ['member']);
  series.want('lr=4', 'loss', 400);
  await answered();
  const began = performance.now();
  for (let version = 2; version < 9; version += 1) {
    const graphs = [{ title: 'loss' }];
    store.emit('session', session('member', { version, graphs }));
    store.emit('session', session('other', { version, graphs }));
  }
  await answered({ sessions: 3 });
  assert.ok(performance.now() - began > 700);
  assert.equal(series.layerOf('lr=4', 'loss').sessions, 3);
  assert.equal(server.waiting.length, 0);
});

test('a zoom fetches finer bins, unless a bin is one step already', async () => {
  await chosen('lr=5');
  series.want('lr=5', 'loss', 400);
  await answered({ size: 64 });
  store.zoomTo({ min: 10, max: 20 });
  const request = await answered({ size: 8 });
  assert.deepEqual([request.query.get('x0'), request.query.get('x1')], ['10', '20']);
  assert.equal(series.layerOf('lr=5', 'loss').size, 8);
  store.zoomTo(null);
  assert.equal(series.layerOf('lr=5', 'loss').size, 64);
  await chosen('lr=6');
  series.want('lr=6', 'loss', 400);
  await answered();
  store.zoomTo({ min: 10, max: 20 });
  await new Promise((done) => setTimeout(done, 150));
  assert.deepEqual(
    server.waiting.map(({ query }) => query.get('q')),
    ['lr=5'],
  );
});

test('what the server refuses is told, and not asked for again', async () => {
  for (const group of store.state.groups) choice.toggleGroup(group.q);
  store.zoomTo(null);
  server.waiting.splice(0);
  await chosen('lr=7');
  series.want('lr=7', 'loss', 400);
  (await server.next()).answer({ error: 'no such thing' }, 400);
  await settle();
  assert.equal(series.errorOf('lr=7', 'loss'), 'no such thing');
  series.want('lr=7', 'loss', 400);
  await settle();
  assert.equal(server.waiting.length, 0);
});
