// Loads the table's rows: pages of sessions in the server's order. What fails is tried again.
import { listSessions } from './api.js';
import { firstPage } from './first_page.js';
import { ApiError, isAbort, isPassing, messageOf } from './http.js';
import { placeAwaited } from './list_places.js';
import { currentQuery, list, store } from './list_state.js';
import { dropOldBest } from './list_summary.js';
import { Retry } from './retry.js';
import { emit, page, sessions, state } from './store.js';

/** @import { SessionPage } from './api.js' */
/** @import { Mistake } from './list_state.js' */

const PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000; // of the server
const WITHOUT_COUNTS = '0';

export { list } from './list_state.js';

/** @type {AbortController | null} */
let request = null;
let countedKey = '';
let rowsKey = ''; // of the rows, see `orderKey`

/** What the rows depend on besides the query's text. */
const orderKey = () => JSON.stringify([state.status, state.place, state.sort]);
const retry = new Retry();

/** Load the first page of the current query. If that has a mistake, the rows stay those of the last one without. */
export const reload = () => load(PAGE_SIZE);

/** Load as many rows again as there are, and those that wait for their place. */
export function reloadAll() {
  countedKey = ''; // their number may have changed
  return load(Math.max(PAGE_SIZE, list.ids.length + list.unplaced.size));
}

/** Try at once what has failed and waits to be tried again. */
export const retryNow = () => retry.now();

/**
 * @param {number} count how many rows; a whole number of pages is loaded
 * @returns {Promise<unknown>} the error if it failed, else null
 */
async function load(count) {
  dropOldBest();
  retry.cancel();
  request?.abort();
  request = new AbortController();
  list.loading = true;
  emit('loading');
  let failure = null;
  try {
    const { q } = state;
    const mistake = await firstRows(q, count, request.signal).catch((error) => mistakeIn(error, q));
    // the rows stay, unless they are those of another place, status or order
    if (mistake && rowsKey !== orderKey()) await firstRows(list.understood, count, request.signal);
    list.mistake = mistake ?? null;
    list.error = null;
    list.rejected = false;
    retry.reset();
  } catch (error) {
    if (isAbort(error)) return null; // another query is being loaded
    failure = error;
    list.error = messageOf(error);
    list.rejected = !isPassing(error);
    list.isStale = true;
    if (list.rejected) {
      list.ids = []; // the old rows are not those of the new query
      list.next = null;
    } else retry.later(() => load(count));
  }
  list.loading = false;
  list.loaded = true;
  emit('list');
  return failure;
}

/**
 * Load the first rows of a query.
 *
 * @param {string} q
 * @param {number} count
 * @param {AbortSignal} signal
 */
async function firstRows(q, count, signal) {
  const key = JSON.stringify([q, state.status, state.place]);
  // counting costs the server a look at all sessions, and the order does not change the counts
  const counts = key === countedKey ? WITHOUT_COUNTS : undefined;
  const limit = Math.min(count, MAX_PAGE_SIZE);
  const asked = { ...currentQuery(), q, limit };
  const answer = firstPage(asked) ?? (await listSessions(page.project, { ...asked, counts }, signal));
  const pages = [answer];
  let { next } = answer;
  while (next && pages.length * limit < count) {
    const more = await listSessions(page.project, { ...asked, counts: WITHOUT_COUNTS, cursor: next }, signal);
    pages.push(more);
    next = more.next;
  }
  countedKey = key;
  rowsKey = orderKey();
  list.understood = q;
  list.isStale = false;
  list.ids = [...new Set(pages.flatMap((each) => each.sessions.map(({ id }) => id)))];
  list.next = next;
  list.cursor = answer.cursor;
  for (const places of [list.unplaced, list.awaited, list.unmatched]) places.clear();
  for (const each of pages) take(each);
}

/**
 * The mistake that the server has found in a query. Throws the error if it is about something else.
 *
 * @param {unknown} error
 * @param {string} q
 * @returns {Mistake}
 */
function mistakeIn(error, q) {
  if (!(error instanceof ApiError) || error.body.code !== 'bad_query') throw error;
  const { start, end } = error.body;
  return { q, message: error.message, start, end };
}

/** Load the next page. */
export async function loadMore() {
  if (!list.next || list.loading || list.isStale || retry.isWaiting) return;
  list.loading = true;
  request = new AbortController();
  try {
    const asked = { ...currentQuery(), limit: PAGE_SIZE, counts: WITHOUT_COUNTS, cursor: list.next };
    const answer = await listSessions(page.project, asked, request.signal);
    const known = new Set(list.ids);
    list.ids.push(...answer.sessions.map((session) => session.id).filter((id) => !known.has(id)));
    list.next = answer.next;
    take(answer);
    placeAwaited();
    list.error = null;
    retry.reset();
  } catch (error) {
    if (isAbort(error)) return;
    list.error = messageOf(error);
    list.rejected = !isPassing(error);
    if (list.rejected) list.next = null;
    else retry.later(loadMore);
  }
  list.loading = false;
  emit('list');
}

/**
 * Take in the sessions of an answer.
 *
 * @param {SessionPage} answer
 */
function take(answer) {
  const fresh = answer.sessions.filter((session) => store(session) === 'newer');
  list.total = answer.total ?? list.total;
  list.counts = answer.counts ?? list.counts;
  for (const { id } of fresh) emit('session', sessions.get(id));
}
