// Numbers about all sessions of the query, loaded or not: how many have which status, and the best values.
import { listSessions } from './api.js';
import { currentFilter, list, queryText, viewKey } from './list_state.js';
import { emit, page, state } from './store.js';

const MAX_BEST = 50; // the server takes no more names at once
const SUMMARY_INTERVAL_MS = 1000;

let timer = 0;
/** @type {string[]} */
let bestNames = [];
let bestKeyAsked = '';

const bestKey = () => JSON.stringify([queryText(), state.status, state.place, bestNames]);

/** Drop the best values if they are of another query. */
export function dropOldBest() {
  if (bestKey() !== bestKeyAsked) list.best = {};
}

/**
 * Have the best values of these statistics, over all sessions of the filter, in `list.best`.
 *
 * @param {string[]} names such as 'min(val_loss)'
 */
export function requestBest(names) {
  bestNames = names.slice(0, MAX_BEST);
  if (bestNames.length && !list.loading && bestKey() !== bestKeyAsked) fetchSummarySoon();
}

/** Fetch the counts of the status filters and the best values, once in a while. */
export function fetchSummarySoon() {
  timer ||= setTimeout(fetchSummary, SUMMARY_INTERVAL_MS);
}

async function fetchSummary() {
  timer = 0;
  const filter = currentFilter();
  const view = viewKey();
  bestKeyAsked = bestKey();
  try {
    const {
      counts = {},
      total = 0,
      best = {},
    } = await listSessions(page.project, { ...filter, limit: 1, best: bestNames });
    if (view !== viewKey()) return;
    Object.assign(list, { counts, total, best });
    emit('list');
  } catch {
    bestKeyAsked = ''; // asked again with the next change
  }
}
