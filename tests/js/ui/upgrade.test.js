import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { reloadFor } from '../../../server/static/js/ui/upgrade.js';
import { installBrowser, setHidden } from '../support.js';

const idle = () => false;
const busy = () => true;

beforeEach(() => installBrowser()); // a page of v-1

test('a page of the same version stays', () => {
  reloadFor('v-1', idle);
  reloadFor(undefined, idle);
  assert.equal(location.reloads, 0);
});

test('a page of another version reloads once for each', () => {
  for (const version of ['v-2', 'v-2', 'v-3', 'v-2', 'v-3']) reloadFor(version, idle);
  assert.equal(location.reloads, 2);
});

test('a page in use reloads when it is hidden', () => {
  reloadFor('v-2', busy);
  setHidden(false);
  assert.equal(location.reloads, 0);
  setHidden(true);
  assert.equal(location.reloads, 1);
});

test('without storage there is no reload, since a loop could not be told', () => {
  globalThis.sessionStorage = {
    getItem: () => {
      throw new Error('denied');
    },
  };
  reloadFor('v-2', idle);
  assert.equal(location.reloads, 0);
});
