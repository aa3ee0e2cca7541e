import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import { installBrowser } from '../support.js';

const MAX_TERMS = 50; // of the server
const IDS = Array.from({ length: 40 }, (_, number) => `id${number}`);

let state;
let countMatching;
/** @type {string[]} the queries that were sent */
let asked;

before(async () => {
  installBrowser();
  globalThis.fetch = async (address) => {
    const q = new URL(address, 'http://server').searchParams.get('q') ?? '';
    asked.push(q);
    const sessions = [...q.matchAll(/id=(\w+)/g)].map(([, id]) => ({ id }));
    return Response.json({ sessions, next: null });
  };
  const store = await import('../../../server/static/js/data/store.js');
  ({ countMatching } = await import('../../../server/static/js/project/unlisted.js'));
  store.start();
  ({ state } = store);
});

beforeEach(() => {
  asked = [];
});

for (const [terms, q] of [
  [0, ''],
  [1, 'lr<=0.01'],
  [40, Array.from({ length: 40 }, (_, number) => `word${number}`).join(' ')],
  [49, Array.from({ length: 49 }, (_, number) => `word${number}`).join(' ')],
])
  test(`beside ${terms} terms, ids are asked for in queries that the server takes`, async () => {
    state.q = q;
    assert.equal(await countMatching(IDS, new AbortController().signal), IDS.length);
    for (const one of asked) {
      assert.ok(one.startsWith(q), one);
      assert.ok(terms + one.split('id=').length - 1 <= MAX_TERMS, one);
    }
    assert.equal(asked.join(' ').split('id=').length - 1, IDS.length);
  });
