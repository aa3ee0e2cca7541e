import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { installBrowser, installServer } from '../support.js';

const VIEW = { id: 'v1', name: 'Best', shared: true, search: '?q=best&x=step', version: 1, may_change: true };
const LONG = `?${Array.from({ length: 360 }, (_, number) => `s=${number}`.padEnd(22, '0')).join('&')}&x=step`;

let visit = 0;
let server;

/** The module as a page that has just been loaded has it. */
async function opened(search, fields = {}) {
  const json = JSON.stringify({ stored: null, view: null, default: null, problem: null, ...fields });
  installBrowser({ search, dataset: { project: '7', opened: json } });
  globalThis.location.href = `http://server/projects/7${search}`;
  return await import(`../../../server/static/js/data/history.js?${++visit}`);
}

beforeEach(() => {
  server = installServer();
});

const bar = () => globalThis.history.address;

test('a view is named with what differs from it', async () => {
  const page = await opened('?view=v1&smooth=0.5', { view: VIEW });
  assert.equal(page.start(), '?q=best&x=step&smooth=0.5');
  assert.equal(page.isChanged(), true);
  page.put('?q=best&x=time&smooth=0.5', false);
  assert.equal(bar(), '?view=v1&x=time&smooth=0.5');
  page.put('?q=best&x=step', false);
  assert.equal(bar(), '?view=v1');
  assert.equal(page.isChanged(), false);
  page.put('', false);
  assert.equal(bar(), '?view=v1&without=q');
});

test("one's own view has the whole address, for those who do not see it", async () => {
  const page = await opened('', { view: { ...VIEW, shared: false }, default: 'v1' });
  assert.equal(page.start(), '?q=best&x=step', 'the default');
  page.put('?q=best&x=time', false);
  assert.equal(bar(), '?mine=v1&q=best&x=time');
  const others = await opened('?mine=v1&q=best&x=time');
  assert.equal(others.start(), '?q=best&x=time');
  assert.equal(others.currentView(), null);
});

test('no view, where the page would open with one', async () => {
  const page = await opened('?view=none', { default: 'v1' });
  assert.equal(page.start(), '');
  page.put('?q=a&x=step', false);
  assert.equal(bar(), '?q=a&x=step');
  page.put('', false);
  assert.equal(bar(), '?view=none');
});

test('a long address is stored once it has settled', async () => {
  const page = await opened('');
  page.start();
  page.put(LONG.replace('s=1', 's=9'), false);
  page.put(LONG, false);
  assert.ok(bar().length <= 2000 && bar().startsWith('?s=0'));
  const request = await server.next();
  assert.equal(request.path, '/api/v2/views/addresses');
  request.answer({ id: 'abc' });
  await new Promise((done) => setTimeout(done, 20));
  assert.equal(bar(), '?v=abc');
  assert.equal(server.waiting.length, 0, 'only the last one');
  page.put('?x=time', false);
  page.put(LONG, false);
  assert.equal(bar(), '?v=abc', 'without asking again');
  assert.equal(page.put(LONG, false), false);
});

test('a stored address is shown, and stays', async () => {
  const page = await opened('?v=abc', { stored: LONG });
  assert.equal(page.start(), LONG);
  page.put(LONG, true);
  assert.ok(['', '?v=abc'].includes(bar()));
  page.put('?x=time', false);
  page.put(LONG, false);
  assert.equal(bar(), '?v=abc');
});

test('a view in a stored address', async () => {
  const text = `?view=v1&${LONG.slice(1)}`;
  const page = await opened('?v=abc', { stored: text, view: VIEW });
  assert.equal(page.start().split('&s=').length, 1 + 360);
  assert.ok(page.start().startsWith('?q=best&'));
});

test('a view that a program has written is not changed by being shown', async () => {
  const search = '?x=nothing&sort=-created_at&q=lr%3C%3D0.01&colour=red';
  const written = await opened('?view=v1', { view: { ...VIEW, search } });
  written.start();
  written.put('?q=lr%3C%3D0.01&x=step', true);
  assert.equal(written.isChanged(), false);
  assert.equal(bar(), '?view=v1');
  written.put('?q=lr%3C%3D0.1&x=step', false);
  assert.equal(written.isChanged(), true);
});

test('a view that does not say how charts are drawn is shown as each person draws them', async () => {
  const view = { ...VIEW, search: '?q=best' };
  const page = await opened('?view=v1', { view });
  globalThis.localStorage.setItem('losswise.view', JSON.stringify({ smooth: 0.5 }));
  page.start();
  for (const search of ['?q=best&x=step&smooth=0.5&cols=*params.lr', '?q=best&x=step']) {
    page.put(search, true);
    assert.equal(page.isChanged(), false);
    assert.equal(bar(), '?view=v1');
  }
  page.put('?q=best&x=step&log=1', false);
  assert.equal(page.isChanged(), true);
  assert.equal(bar(), '?view=v1&x=step&log=1', 'all that is needed to show it');
});
