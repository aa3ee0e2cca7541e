// The params that differ between the sessions of the table. The server compares them, since not all rows are loaded.
import { listDiffering } from './api.js';
import { isAbort, isPassing } from './http.js';
import { currentFilter, list } from './list_state.js';
import { emit, on, page } from './store.js';

const INTERVAL_MS = 2_000; // between two comparisons of one filter

/** @import { Session } from './session.js' */

/** @typedef {{params: string[], more: boolean, sessions: number}} Differing */

/** @type {Differing | null} */
let found = null;
/** @type {AbortController | null} */
let request = null;
let comparedKey = ''; // the filter
let comparedRows = '';
/** @type {Map<string, string>} the params of sessions, as JSON */
const known = new Map();
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
  if (!isListening) {
    on('list', rowsChanged);
    on('session', sessionChanged);
  }
  isListening = true;
  rowsChanged();
}

const filterKey = () => JSON.stringify(currentFilter());

function rowsChanged() {
  if (!isOn || !list.loaded) return;
  const rows = `${list.total} ${list.ids.length} ${list.ids[0]} ${list.ids.at(-1)}`;
  if (comparedKey !== filterKey()) compare();
  else if (rows !== comparedRows) compareSoon();
  comparedRows = rows;
}

/** @param {Session} session */
function sessionChanged({ id, params }) {
  if (!isOn || !list.loaded) return;
  const text = JSON.stringify(params);
  if (known.get(id) !== text) compareSoon(); // points come all the time, and change nothing
  known.set(id, text);
}

const compareSoon = () => {
  timer ||= setTimeout(compare, INTERVAL_MS);
};

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
    if (!isAbort(error) && isPassing(error)) compareSoon();
    return;
  }
  if (JSON.stringify(found) !== before) emit('columns');
}
