import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import * as store from '../../../server/static/js/data/store.js';
import { installBrowser, session } from '../support.js';

const { state } = store;

beforeEach(() => {
  installBrowser({ search: '?q=resnet&s=a&s=b&sort=tag' });
  store.start();
});

test('the address says what is shown', () => {
  assert.deepEqual([state.q, state.sort, state.selected, state.automatic], ['resnet', 'tag', ['a', 'b'], false]);
  assert.equal(store.page.project, '7');
  store.setQuery({ sort: 'min(loss)', q: '' });
  assert.equal(history.address, '?sort=min(loss)&s=a&s=b');
});

test('an empty selection is another than none', () => {
  store.select([]);
  assert.equal(history.address, '?q=resnet&sort=tag&s=none');
  installBrowser({ search: '?s=none' });
  store.start();
  assert.deepEqual([state.selected, state.automatic], [[], false]);
  installBrowser();
  store.start();
  assert.deepEqual([state.selected, state.automatic], [[], true]);
});

test('what the page selects by itself is not in the address, until the person selects the same', () => {
  installBrowser();
  store.start();
  store.select(['a', 'b'], { automatic: true });
  assert.deepEqual([state.selected, history.address], [['a', 'b'], '/projects/7']);
  store.select(['a', 'b']);
  assert.deepEqual([state.automatic, history.address], [false, '?s=a&s=b']);
});

test('selecting tells of it, once for a change', () => {
  let count = 0;
  store.on('selection', () => count++);
  store.select(['a', 'b', 'a']);
  assert.equal(count, 0);
  store.toggle('c');
  store.toggle('a');
  assert.deepEqual([count, state.selected], [2, ['b', 'c']]);
  store.unselect('c', { notice: 'c was deleted' });
  assert.equal(state.notice, 'c was deleted');
  store.sessions.set('b', session('b'));
  assert.deepEqual(
    store.selectedSessions().map(({ id }) => id),
    ['b'],
  );
});

test('how charts are drawn is kept, another axis ends the zoom', () => {
  store.zoomTo({ min: 1, max: 2 });
  store.setView({ smooth: 0.5 });
  assert.deepEqual(state.zoom, { min: 1, max: 2 });
  store.setView({ xMode: 'time' });
  assert.equal(state.zoom, null);
  Object.assign(state, { smooth: 0, xMode: 'step' });
  store.start();
  assert.deepEqual([state.smooth, state.xMode], [0.5, 'time']);
});
