// Which sessions an action is for, and what it is given of them.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { chosen, chosenWith, loadedOf } from '../../../server/static/js/data/chosen.js';
import { list } from '../../../server/static/js/data/list_state.js';
import * as store from '../../../server/static/js/data/store.js';
import { actionsFor, run } from '../../../server/static/js/rows/actions.js';
import { installBrowser, installServer, page, session } from '../support.js';

const { sessions, state } = store;

beforeEach(() => {
  installBrowser();
  store.start();
  sessions.clear();
  for (const id of ['a', 'b', 'c']) sessions.set(id, session(id));
  Object.assign(state, { allMatching: false, excepted: [], within: null });
  Object.assign(list, { ids: ['a', 'b', 'c'], total: 3, loaded: true });
});

test('a row that has been excepted from all that match is acted on alone', () => {
  store.select(['a']);
  store.chooseAllMatching();
  store.toggle('a');
  assert.deepEqual(chosenWith('a'), { ids: ['a'] });
  assert.deepEqual(chosenWith('b').except, ['a']);
});

test('a row outside a chosen group is acted on alone, also if it is in the graphs', () => {
  store.select(['a', 'b']);
  store.chooseAllMatching({ q: 'lr=1', count: 1, ids: () => new Set('c') });
  assert.deepEqual(chosenWith('a'), { ids: ['a'] });
  assert.equal(chosenWith('c').matching.q, 'lr=1');
});

/** What an action is given. */
async function given(action, of) {
  let sessions = null;
  const done = run({ ...action, act: (_, found) => (sessions = found) }, of);
  return { done, sessions: () => sessions?.map(({ id }) => id) };
}
const actionNamed = (id) => actionsFor(chosen()).find((action) => action.id === id);

test('the one session of a group that is folded is loaded for what is done to one', async () => {
  const server = installServer();
  store.setQuery({ q: 'resnet' });
  store.chooseAllMatching({ q: 'lr=1', count: 1, ids: () => new Set() });
  for (const id of ['open', 'rename', 'note', 'alike', 'copy-id', 'tags']) {
    const { done, sessions } = await given(actionNamed(id), chosen());
    const request = await server.next();
    assert.deepEqual([request.path, request.query.get('q')], ['/api/v2/sessions', 'resnet and lr=1'], id);
    request.answer(page([session('x')]));
    await done;
    assert.deepEqual(sessions(), ['x'], id);
  }
});

test('what is loaded is not asked for', async () => {
  installServer();
  Object.assign(list, { ids: ['a'], total: 1 });
  store.chooseAllMatching();
  const { done, sessions } = await given(actionNamed('copy-id'), chosen());
  await done;
  assert.deepEqual(sessions(), ['a']);
});

test('chosen sessions that are not loaded are asked for by their ids, and come in their order', async () => {
  const server = installServer();
  store.select(['x', 'a']);
  const { done, sessions } = await given(actionNamed('compare'), chosen());
  const request = await server.next();
  assert.deepEqual([request.path, request.query.getAll('id')], ['/api/v2/sessions/named', ['x']]);
  request.answer({ sessions: [session('x')] });
  await done;
  assert.deepEqual(sessions(), ['x', 'a']);
});

test('of the sessions of a group, the excepted are left out', async () => {
  const server = installServer();
  store.chooseAllMatching({ q: 'lr=1', count: 3, ids: () => new Set('a') });
  store.toggle('a');
  assert.deepEqual(loadedOf(chosen()), []);
  const { done, sessions } = await given(actionNamed('compare'), chosen());
  (await server.next()).answer(page([session('a'), session('x'), session('y')]));
  await done;
  assert.deepEqual(sessions(), ['x', 'y']);
});

test('nothing is done to one session where others match by now', async () => {
  const server = installServer();
  store.chooseAllMatching({ q: 'lr=1', count: 1, ids: () => new Set() });
  const { done, sessions } = await given(actionNamed('rename'), chosen());
  (await server.next()).answer(page([session('x'), session('y')]));
  await done.catch(() => null); // there is no page to say so
  assert.equal(sessions(), undefined);
});
