import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { installBrowser, session } from '../support.js';

let store;
let list;
let columns;
let best;

before(async () => {
  installBrowser();
  globalThis.fetch = async () => new Response('{}'); // the server keeps the layout
  store = await import('../../../server/static/js/data/store.js');
  ({ list } = await import('../../../server/static/js/data/session_list.js'));
  columns = await import('../../../server/static/js/table/columns.js');
  best = await import('../../../server/static/js/table/best_values.js');
  store.start();
  columns.start();
});

beforeEach(() => {
  store.sessions.clear();
  Object.assign(list, { ids: [], next: null, best: {} });
});

const withLoss = (id, min, fields = {}) =>
  session(id, {
    stats: { val_loss: { min, max: 9, last: 1, count: 1 } },
    graphs: [{ id: `g${id}`, title: 'loss', kind: 'min', names: ['val_loss'], stats: {} }],
    ...fields,
  });

function show(...sessions) {
  for (const one of sessions) store.sessions.set(one.id, one);
  list.ids = sessions.map(({ id }) => id);
}

const keys = () => columns.shownColumns().map(({ key }) => key);

test('columns come with the sessions that have them, and stay', () => {
  show(withLoss('a', 0.5, { values: { score: 1 }, params: { lr: 0.1, nested: { a: 1 } } }));
  assert.equal(columns.discover(), true);
  assert.equal(columns.discover(), false);
  assert.deepEqual(keys().slice(-2), ['min(val_loss)', 'values.score']);
  show(session('b'));
  assert.equal(columns.discover(), false);
  assert.ok(keys().includes('min(val_loss)'));
});

test('a metric of two graphs is told apart by its graph', () => {
  show(
    session('c', {
      stats: { 'a/value': { max: 3 }, 'b/value': { max: 4 } },
      graphs: ['a', 'b'].map((title) => ({ id: title, title, kind: 'max', names: ['value'], stats: {} })),
    }),
  );
  columns.discover();
  assert.ok(keys().includes('max(a/value)') && keys().includes('max(b/value)'));
  assert.ok(!keys().includes('max(value)'));
});

test('the best is marked among the rows, and beyond them while there are more', () => {
  show(withLoss('d', 0.5), withLoss('e', 0.25), withLoss('f', 'NaN'), session('g'));
  columns.discover();
  const column = columns.shownColumns().find(({ key }) => key === 'min(val_loss)');
  best.findBest(columns.shownColumns());
  assert.equal(best.bestIn(column), 0.25);
  Object.assign(list, { best: { 'min(val_loss)': 0.125 } });
  best.findBest(columns.shownColumns());
  assert.equal(best.bestIn(column), 0.25);
  Object.assign(list, { next: 'more', loading: true });
  best.findBest(columns.shownColumns());
  assert.equal(best.bestIn(column), 0.125);
  list.loading = false;
});

test('the best of the same rows is found again a little later, that of others at once', (t) => {
  let now = 0;
  t.mock.method(performance, 'now', () => (now += 10)); // it takes 10 ms each time
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const again = t.mock.fn();
  show(withLoss('h', 0.5));
  columns.discover();
  const shown = columns.shownColumns();
  const column = shown.find(({ key }) => key === 'min(val_loss)');
  best.findBest(shown, again);
  store.sessions.set('h', withLoss('h', 0.25));
  best.findBest(shown, again);
  assert.equal(best.bestIn(column), 0.5);
  t.mock.timers.tick(100);
  assert.equal(again.mock.callCount(), 0);
  t.mock.timers.tick(100); // 5 % of the time: 10 of 200 ms
  assert.equal(again.mock.callCount(), 1);
  now += 200;
  best.findBest(shown, again);
  assert.equal(best.bestIn(column), 0.25);
  show(withLoss('i', 0.75)); // another query
  best.findBest(shown, again);
  assert.equal(best.bestIn(column), 0.75);
});

test('a column that was chosen is there without any row that has it, also after a reload', () => {
  columns.choose('last(ep_rew_mean)', true);
  columns.choose('params.model.depth', true);
  columns.choose('values.gone', true);
  columns.choose('values.gone', false);
  const chosen = ['last(ep_rew_mean)', 'params.model.depth'];
  assert.deepEqual(
    keys().filter((key) => [...chosen, 'values.gone'].includes(key)),
    chosen,
  );
  assert.deepEqual(columns.currentLayout().shown, {
    'last(ep_rew_mean)': true,
    'params.model.depth': true,
    'values.gone': false,
  });
  columns.start();
  assert.ok(chosen.every((key) => columns.shownKeys().has(key)));
  const column = columns.shownColumns().find(({ key }) => key === 'last(ep_rew_mean)');
  assert.deepEqual([column.sort, column.kind, column.down], ['last(ep_rew_mean)', undefined, true]);
});

test('an entry is found at the top or in objects in objects', () => {
  const entries = { 'a.b': 1, a: { b: 2, c: { d: [3] } }, n: null, constructor: 4 };
  assert.deepEqual(
    ['a.b', 'a.c.d', 'a.c.x', 'n', 'n.x', 'a.c.d.length', 'toString', 'constructor'].map((name) =>
      columns.entryAt(entries, name),
    ),
    [1, [3], undefined, null, undefined, undefined, undefined, 4],
  );
});
