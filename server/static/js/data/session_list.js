// The table's rows: loads pages of sessions in the server's order, and takes in what live updates bring.
import { ApiError, getSession, isAbort, isMissing, listSessions, statusOf } from './api.js';
import { isHere } from './places.js';
import { emit, page, sessions, state, unselect } from './store.js';

/** @import { SessionPage } from './api.js' */
/** @import { Session, Status } from './session.js' */

/**
 * Why the server does not understand a query, and which part of it.
 *
 * @typedef {object} Mistake
 * @property {string} q
 * @property {string} message
 * @property {number} start in characters
 * @property {number} end
 */

const PAGE_SIZE = 100;
const MAX_CHECKED = 20; // rows that are looked up when an answer lacks them
const MAX_BEST = 50; // the server takes no more names at once
const SUMMARY_INTERVAL_MS = 1000;
const WITHOUT_COUNTS = '0';

export const list = {
  /** @type {string[]} the rows' ids, in order */
  ids: [],
  /** @type {string | null} the next page's cursor */
  next: null,
  total: 0,
  /** @type {Partial<Record<Status, number>>} how many sessions of the search have which status */
  counts: {},
  /** @type {Record<string, number>} the best values of statistics, over all sessions of the filter */
  best: {},
  loaded: false,
  loading: false,
  /** @type {string | null} why the last request failed */
  error: null,
  /** Whether the server rejected the query, rather than not responding. */
  rejected: false,
  /** @type {Mistake | null} of the query in the search field; the rows are those of the last one without */
  mistake: null,
  /** @type {Set<string>} new sessions whose place in the order is not known */
  unplaced: new Set(),
  /** @type {Session | null} */
  lastDeleted: null,
};

/** @type {AbortController | null} */
let request = null;
let summaryTimer = 0;
/** @type {string[]} */
let bestNames = [];
let bestKeyAsked = '';
let countedKey = '';
let understoodQuery = '';

/** The query that the server understands: the one in the search field, or the last one without a mistake. */
const queryText = () => (list.mistake?.q === state.q ? understoodQuery : state.q);
const currentQuery = () => ({
  q: queryText(),
  status: state.status,
  sort: state.sort,
  in: state.place,
  utc_offset: -60 * new Date().getTimezoneOffset(),
});
const bestKey = () => JSON.stringify([queryText(), state.status, state.place, bestNames]);
const viewKey = () => JSON.stringify([state.q, state.status, state.sort, state.place]);
const isNewestFirst = () => state.sort === '-created_at';

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/** Load the first page of the current query. If that has a mistake, the rows stay those of the last one without. */
export async function reload() {
  if (bestKey() !== bestKeyAsked) list.best = {};
  request?.abort();
  request = new AbortController();
  list.loading = true;
  emit('loading');
  try {
    const { q } = state;
    const mistake = await firstPage(q, request.signal).catch((error) => mistakeIn(error, q));
    if (mistake && !list.loaded) await firstPage(understoodQuery, request.signal);
    list.mistake = mistake ?? null;
    list.error = null;
  } catch (error) {
    if (isAbort(error)) return;
    list.error = messageOf(error);
    list.rejected = statusOf(error) !== 0;
    if (list.rejected) list.ids = []; // the old rows are not those of the new query
  }
  list.loading = false;
  list.loaded = true;
  emit('list');
}

/**
 * Load the first page of a query.
 *
 * @param {string} q
 * @param {AbortSignal} signal
 */
async function firstPage(q, signal) {
  const key = JSON.stringify([q, state.status, state.place]);
  // counting costs the server a look at all sessions, and the order does not change the counts
  const counts = key === countedKey ? WITHOUT_COUNTS : undefined;
  const answer = await listSessions(page.project, { ...currentQuery(), q, limit: PAGE_SIZE, counts }, signal);
  countedKey = key;
  understoodQuery = q;
  list.ids = answer.sessions.map((session) => session.id);
  list.next = answer.next;
  list.unplaced.clear();
  take(answer);
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
  if (!list.next || list.loading) return;
  list.loading = true;
  request = new AbortController();
  try {
    const asked = { ...currentQuery(), limit: PAGE_SIZE, counts: WITHOUT_COUNTS, cursor: list.next };
    const answer = await listSessions(page.project, asked, request.signal);
    const known = new Set(list.ids);
    list.ids.push(...answer.sessions.map((session) => session.id).filter((id) => !known.has(id)));
    list.next = answer.next;
    take(answer);
    list.error = null;
  } catch (error) {
    if (isAbort(error)) return;
    list.error = messageOf(error);
    list.next = null;
  }
  list.loading = false;
  emit('list');
}

/**
 * Catch up after a time without live updates. No row moves: known sessions are updated, new ones are added as if they
 * had come live.
 */
export async function refresh() {
  const view = viewKey();
  const answer = await listSessions(page.project, { ...currentQuery(), limit: PAGE_SIZE });
  if (view !== viewKey()) return;
  const fresh = answer.sessions.filter((session) => !list.ids.includes(session.id));
  take(answer);
  list.error = null;
  if (!list.ids.length) {
    list.ids = answer.sessions.map((session) => session.id);
    list.next = answer.next;
  } else if (isNewestFirst()) {
    const newest = newestTime();
    list.ids.unshift(...fresh.filter((session) => session.created_at >= newest).map((session) => session.id));
  } else {
    for (const session of fresh) list.unplaced.add(session.id);
  }
  list.loaded = true;
  emit('list');
  await checkMissing(answer);
}

/**
 * Look up rows that the answer should hold: they were deleted, or changed so that the filter excludes them. The latter
 * stay.
 *
 * @param {SessionPage} answer
 */
async function checkMissing(answer) {
  const held = new Set(answer.sessions.map((session) => session.id));
  const expected = answer.next ? list.ids.slice(0, held.size) : list.ids;
  for (const id of expected.filter((one) => !held.has(one)).slice(0, MAX_CHECKED)) {
    try {
      update(await getSession(id));
    } catch (error) {
      if (!isMissing(error)) throw error;
      remove(id);
    }
  }
}

/**
 * Take in a session that is new or has changed.
 *
 * @param {Session} session
 */
export function update(session) {
  const before = sessions.get(session.id);
  if (before && before.version > session.version) return;
  sessions.set(session.id, session);
  if (!isHere(session)) return leave(session);
  if (!before && list.loaded && !list.ids.includes(session.id)) add(session);
  if (!before || before.status !== session.status) fetchSummarySoon();
  emit('session', session);
}

/**
 * A session has left the table, for another place or project.
 *
 * @param {Session} session
 */
function leave({ id }) {
  if (state.selected.includes(id)) unselect(id, { automatic: state.automatic });
  list.unplaced.delete(id);
  const at = list.ids.indexOf(id);
  if (at < 0) return;
  list.ids.splice(at, 1);
  list.total -= 1;
  fetchSummarySoon();
  emit('list');
}

/** @param {Session} session */
function add(session) {
  if (list.ids.length && session.created_at < newestTime()) return;
  if (isNewestFirst() && !state.q && (!state.status || state.status === session.status)) {
    list.ids.unshift(session.id);
    list.total += 1;
    emit('arrived', session.id);
  } else {
    list.unplaced.add(session.id);
  }
  emit('list');
}

const newestTime = () => sessions.get(list.ids[0])?.created_at ?? 0;

/** @param {string} id */
export function remove(id) {
  list.lastDeleted = sessions.get(id) ?? null;
  sessions.delete(id);
  list.unplaced.delete(id);
  const at = list.ids.indexOf(id);
  if (at >= 0) {
    list.ids.splice(at, 1);
    list.total -= 1;
  }
  fetchSummarySoon();
  emit('deleted', id);
  emit('list');
}

/**
 * Take in the sessions of an answer. One that has not changed stays the same object, so that nothing is drawn again.
 *
 * @param {SessionPage} answer
 */
function take(answer) {
  const fresh = answer.sessions.filter((session) => {
    const known = sessions.get(session.id);
    return (
      !known ||
      session.version > known.version ||
      (session.version === known.version && session.status !== known.status)
    );
  });
  for (const session of fresh) sessions.set(session.id, session);
  list.total = answer.total ?? list.total;
  list.counts = answer.counts ?? list.counts;
  for (const session of fresh) emit('session', session);
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
function fetchSummarySoon() {
  summaryTimer ||= setTimeout(fetchSummary, SUMMARY_INTERVAL_MS);
}

async function fetchSummary() {
  summaryTimer = 0;
  const { q, status, utc_offset, in: place } = currentQuery();
  bestKeyAsked = bestKey();
  try {
    const {
      counts = {},
      total = 0,
      best = {},
    } = await listSessions(page.project, { q, status, in: place, utc_offset, limit: 1, best: bestNames });
    if (q !== queryText() || status !== state.status || place !== state.place) return;
    Object.assign(list, { counts, total, best });
    emit('list');
  } catch {
    bestKeyAsked = ''; // asked again with the next change
  }
}
