// Which sessions an action is for, and what it is given of them.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { list } from '../../../server/static/js/data/list_state.js';
import * as store from '../../../server/static/js/data/store.js';
import { chosenWith } from '../../../server/static/js/rows/actions.js';
import { installBrowser, session } from '../support.js';

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
  store.chooseAllMatching({ q: 'lr=1', count: 1, has: (id) => id === 'c' });
  assert.deepEqual(chosenWith('a'), { ids: ['a'] });
  assert.equal(chosenWith('c').matching.q, 'lr=1');
});
