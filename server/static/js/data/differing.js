// The params that differ between the sessions of the table. The server compares them, since not all rows are loaded.
import { listDiffering } from './api.js';
import { isAbort } from './http.js';
import { currentFilter, list } from './list_state.js';
import { emit, on, page } from './store.js';

const INTERVAL_MS = 2_000; // between two comparisons of one filter

/** @typedef {{params: string[], more: boolean, sessions: number}} Differing */

/** @type {Differing | null} */
let found = null;
/** @type {AbortController | null} */
let request = null;
let comparedKey = ''; // the filter
let timer = 0;
let isOn = false;
let isListening = false;

/** What differs: null before the first answer. An event 'columns' tells of a change. */
export const differing = () => found;

/**
 * Follow what differs, or no longer.
 *
 * @param {boolean} isWanted
 */
export function follow(isWanted) {
  isOn = isWanted;
  if (!isListening) for (const event of /** @type {const} */ (['list', 'session'])) on(event, changed);
  isListening = true;
  changed();
}

const filterKey = () => JSON.stringify(currentFilter());

function changed() {
  if (!isOn || !list.loaded) return;
  if (comparedKey !== filterKey()) compare();
  else timer ||= setTimeout(compare, INTERVAL_MS);
}

async function compare() {
  clearTimeout(timer);
  timer = 0;
  comparedKey = filterKey();
  request?.abort();
  request = new AbortController();
  const before = JSON.stringify(found);
  try {
    found = await listDiffering(page.project, currentFilter(), request.signal);
  } catch (error) {
    if (!isAbort(error)) timer ||= setTimeout(compare, INTERVAL_MS);
    return;
  }
  if (JSON.stringify(found) !== before) emit('columns');
}
