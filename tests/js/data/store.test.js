import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { toggleLine } from '../../../server/static/js/data/card_state.js';
import * as store from '../../../server/static/js/data/store.js';
import { installBrowser, session } from '../support.js';

const dispatch = (name) => document.dispatchEvent(new Event(name));

const { state } = store;

beforeEach(() => {
  installBrowser({ search: '?q=resnet&s=a&s=b&sort=tag' });
  store.start();
});

test('the address says what is shown', () => {
  assert.deepEqual([state.q, state.sort, state.selected, state.automatic], ['resnet', 'tag', ['a', 'b'], false]);
  assert.equal(store.page.project, '7');
  store.setQuery({ sort: 'min(loss)', q: '' });
  assert.equal(history.address, '?sort=min(loss)&s=a&s=b&x=step');
});

test('an empty selection is another than none', () => {
  store.select([]);
  assert.equal(history.address, '?q=resnet&sort=tag&s=none&x=step');
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
  assert.deepEqual([state.selected, history.address], [['a', 'b'], '']);
  store.select(['a', 'b']);
  assert.deepEqual([state.automatic, history.address], [false, '?s=a&s=b&x=step']);
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
  location.search = '';
  store.start();
  assert.deepEqual([state.smooth, state.xMode], [0.5, 'time']);
  location.search = '?x=step';
  store.start();
  assert.deepEqual([state.smooth, state.xMode], [0, 'step'], 'the address says how');
});

test('what is done to the graphs of a link changes nothing about how this person draws', () => {
  store.setView({ xMode: 'elapsed', smooth: 0.5 });
  location.search = '?x=time&log=1';
  store.start();
  toggleLine('loss', 'n:val');
  location.search = '';
  store.start();
  assert.deepEqual([state.xMode, state.smooth, state.logY], ['elapsed', 0.5, false]);
});

test('a choice is a step back, typing is one', () => {
  for (const q of ['r', 're', 'res']) store.setQuery({ q });
  assert.equal(history.pushed, 1);
  store.select(['c']);
  toggleLine('loss', 's:c');
  toggleLine('loss', 'n:a/b: c');
  assert.equal(history.pushed, 3);
  store.select(['c', 'd'], { automatic: true });
  assert.equal(history.pushed, 3, 'nobody has asked for it');
});

test('going back shows what was shown', () => {
  store.setQuery({ q: 'other' });
  toggleLine('loss', 'n:val');
  store.zoomTo({ min: 1, max: 2 });
  const events = [];
  for (const name of ['query', 'selection', 'view', 'zoom']) store.on(name, () => events.push(name));
  location.search = '?q=resnet&s=b&sort=tag';
  history.state = null; // of an entry that another page has made
  dispatch('popstate');
  assert.deepEqual([state.q, state.selected, state.zoom, state.hidden], ['resnet', ['b'], null, []]);
  assert.deepEqual(new Set(events), new Set(['query', 'selection', 'view', 'zoom']));
});

test('every session that matches can be chosen, but some', () => {
  store.chooseAllMatching();
  store.setQuery({ sort: '-tag' });
  assert.equal(state.allMatching, true, 'the same sessions match in another order');
  assert.ok(store.isChosen('not loaded'));
  store.toggle('a');
  assert.deepEqual([store.isChosen('a'), store.isChosen('b')], [false, true]);
  store.select(['a']);
  assert.deepEqual([store.isChosen('a'), store.isChosen('b')], [true, false]);
});
