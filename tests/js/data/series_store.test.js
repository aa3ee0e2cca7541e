import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { installBrowser, installServer, session, settle } from '../support.js';

let store;
let series;
let server;
let number = 0;

before(async () => {
  installBrowser();
  store = await import('../../../server/static/js/data/store.js');
  series = await import('../../../server/static/js/data/series_store.js');
  store.start();
  series.start(() => ({ x0: 10, x1: 20 }));
  server = installServer();
});

/** A graph that has been fetched. */
async function fetched(x, { exact = true, version = 5, arrivals = x.length } = {}) {
  number += 1;
  const [graph, id] = [`g${number}`, `s${number}`];
  store.sessions.set(id, session(id, { version }));
  store.select([id]);
  series.requestGraph(graph, id);
  const request = await server.next();
  assert.deepEqual(request.query.getAll('graph'), [graph]);
  const zeros = x.map(() => 0);
  const columns = exact ? { x, t: x, y: x } : { x, t: x, mean: x, min: x, max: x, nan: zeros, inf: zeros };
  request.answer({ graphs: { [graph]: { exact, version, arrivals, series: { loss: columns } } } });
  await settle();
  return { graph, id };
}

const event = ({ graph, id }, from, to, points, arrivals = 99) => ({
  session: id,
  from,
  to,
  arrivals,
  graphs: {
    [graph]: {
      series: { loss: { x: points, t: points, y: points, n: points } },
    },
  },
});
const xOf = ({ graph }) => series.layerOf(graph).lines.get('loss').x;

test('an event that follows on is added', async () => {
  const one = await fetched([0, 1, 2]);
  series.append(event(one, 5, 6, [3, 4], 5));
  assert.deepEqual(xOf(one), [0, 1, 2, 3, 4]);
  assert.equal(series.layerOf(one.graph).version, 6);
});

test('points that are here already are not added again', async () => {
  const one = await fetched([0, 1, 2]);
  series.append(event(one, 4, 6, [1, 2, 3], 4));
  assert.deepEqual(xOf(one), [0, 1, 2, 3]);
  series.append(event(one, 4, 6, [9], 5));
  assert.deepEqual(xOf(one), [0, 1, 2, 3]);
});

test('a new metric gets a line', async () => {
  const one = await fetched([0]);
  const more = event(one, 5, 6, [], 2);
  more.graphs[one.graph].series = { other: { x: [1], t: [1], y: ['NaN'], n: [1] } };
  series.append(more);
  assert.deepEqual(series.layerOf(one.graph).lines.get('other').bad, [1]);
});

test('after a gap, and where points are too many to send, the graph is fetched again', async () => {
  for (const make of [(one) => event(one, 7, 8, [9]), (one) => ({ ...event(one, 5, 6, []), graphs: null })]) {
    const one = await fetched([0, 1]);
    series.append(make(one));
    assert.deepEqual(xOf(one), [0, 1]);
    const request = await server.next();
    request.answer({
      graphs: {
        [one.graph]: { exact: true, version: 8, arrivals: 3, series: { loss: { x: [0, 1, 9], y: [1, 2, 3] } } },
      },
    });
    await settle();
    assert.deepEqual(xOf(one), [0, 1, 9]);
  }
});

test('events that come while a graph is fetched are added to what was fetched', async () => {
  const one = await fetched([0]);
  series.unfollow([one.id]);
  series.requestGraph(one.graph, one.id);
  const request = await server.next();
  series.append(event(one, 6, 7, [2], 3));
  request.answer({
    graphs: { [one.graph]: { exact: true, version: 6, arrivals: 2, series: { loss: { x: [0, 1], y: [0, 1] } } } },
  });
  await settle();
  assert.deepEqual(xOf(one), [0, 1, 2]);
  assert.equal(series.layerOf(one.graph).incomplete, false);
});

test('one graph that is gone does not keep the others from being fetched', async () => {
  store.sessions.set('many', session('many'));
  store.select(['many']);
  series.requestGraph('here', 'many');
  series.requestGraph('gone', 'many');
  (await server.next()).answer({ error: 'no such graph' }, 404);
  for (let count = 0; count < 2; count += 1) {
    const request = await server.next();
    const [graph] = request.query.getAll('graph');
    if (graph === 'gone') request.answer({ error: 'no such graph' }, 404);
    else request.answer({ graphs: { here: { exact: true, version: 1, series: { loss: { x: [1], y: [1] } } } } });
  }
  await settle();
  assert.equal(series.layerOf('here').lines.size, 1);
  assert.equal(series.layerOf('gone').lines.size, 0);
});

test('a zoom fetches finer points of what is summarized', async () => {
  const one = await fetched([0, 100, 200], { exact: false });
  store.zoomTo({ min: 11, max: 19 });
  const request = await server.next();
  assert.deepEqual([request.query.get('x0'), request.query.get('x1')], ['10', '20']);
  request.answer({
    graphs: { [one.graph]: { exact: true, version: 5, arrivals: 3, series: { loss: { x: [12, 14], y: [1, 2] } } } },
  });
  await settle();
  assert.deepEqual(xOf(one), [12, 14]);
  series.append(event(one, 5, 6, [15, 500], 600));
  assert.deepEqual(xOf(one), [12, 14, 15]);
  store.zoomTo(null);
  assert.deepEqual(xOf(one), [0, 100, 200, 500]);
});
