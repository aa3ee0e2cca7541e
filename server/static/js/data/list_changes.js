// What is new, changed or gone in the table: from the stream of events, and after a break from the server's list of
// changes. What is new is decided by the order in which changes arrived at the server, never by a client's clock.
import { getChanges, getSession, listSessions } from './api.js';
import { isMissing } from './http.js';
import { forgetPlace, place } from './list_places.js';
import { hasLeft, leave, remove } from './list_removal.js';
import { currentFilter, fitsFilter, list, queryText, store, viewKey } from './list_state.js';
import { fetchSummarySoon } from './list_summary.js';
import { isHere, PLACES } from './places.js';
import { Retry } from './retry.js';
import { changed } from './session_change.js';
import { reload, reloadAll } from './session_list.js';
import { emit, on, page, sessions, state } from './store.js';

/** @import { Changes, SessionEvent } from './api.js' */
/** @import { Session } from './session.js' */
/** @import { SessionChange } from './session_change.js' */

const ASK_DELAY_MS = 250;
const ASK_INTERVAL_MS = 1000;
const MAX_IDS = 50; // that a query can name

let askTimer = 0;
let askedAt = 0;
let isAsking = false;
/** @type {Set<string>} sessions that the stream has brought since the last request was made */
const heard = new Set();
const retry = new Retry();
/** @type {Promise<unknown>} */
let asking = Promise.resolve();
/** @type {Promise<unknown> | null} that begins after the one that is under way */
let askingNext = null;

/**
 * Take in a session, whether or not the table shows it.
 *
 * @param {Session} session
 * @returns {boolean} whether no newer state of it is known
 */
export function update(session) {
  const before = sessions.get(session.id);
  const result = store(session);
  if (result !== 'newer') return result === 'same';
  if (before?.status !== session.status || (before && isHere(before) !== isHere(session))) fetchSummarySoon();
  emit('session', session);
  return true;
}

/**
 * Take in a session that the stream has brought.
 *
 * @param {SessionEvent} session
 */
export function receive(session) {
  const before = sessions.get(session.id);
  if (!update(session)) return;
  heard.add(session.id);
  if (!isHere(session)) return leave(hasLeft(session, before) ? [session.id] : []);
  // only the server knows what matches a query; and rows that are being loaded may be of a moment before
  const mustAsk = !list.loaded || list.loading || list.isStale || queryText() !== '';
  if (mustAsk) askSoon();
  else judge(session, fitsFilter(session), session.new || hasBegunToMatch(before)) && emit('list');
  if (session.new && !before) emit('started', [session.id]);
}

/**
 * Take in what has changed of a session. If that is not all that is missing here, the server is asked for the rest.
 *
 * @param {SessionChange} change
 */
export function receiveChange(change) {
  const known = sessions.get(change.id);
  if (known && known.version >= change.version) return;
  const session = known && known.version >= change.from ? changed(known, change) : null;
  if (session) receive({ ...session, new: false });
  // those that the table does not show need not be known
  else if (known || fitsFilter(change)) askSoon();
}

/**
 * Whether a session that matches now has begun to with its latest change. What has ended does not change any more, so it
 * has if the table shows sessions that have ended.
 *
 * @param {Session | undefined} before
 */
const hasBegunToMatch = (before) => (before ? !fitsFilter(before) : !['', 'active'].includes(state.status));

/**
 * Show whether a session matches the query: in its row, else in its place or among those that are announced. Rows that no
 * longer match stay where they are, so that nothing moves under the pointer.
 *
 * @param {Session} session
 * @param {boolean} matches
 * @param {boolean} isNews
 * @returns {boolean} whether the table shows something else now
 */
function judge(session, matches, isNews) {
  const { id } = session;
  const isChanged = list.ids.includes(id) ? mark(id, matches) : matches ? place(session, isNews) : forgetPlace(id);
  if (isChanged) fetchSummarySoon();
  return isChanged;
}

/**
 * @param {string} id
 * @param {boolean} matches
 */
function mark(id, matches) {
  if (matches) return list.unmatched.delete(id);
  if (list.unmatched.has(id)) return false;
  list.unmatched.add(id);
  return true;
}

/**
 * Take in that a session is gone.
 *
 * @param {{id: string}} deleted
 */
export function receiveDeleted({ id }) {
  remove(id);
  if (isAsking || list.loading) askSoon(); // what is under way may still bring it
}

/**
 * Take in sessions that have been edited here, all at once.
 *
 * @param {Session[]} edited
 */
export function receiveEdited(edited) {
  /** @type {string[]} */
  const left = [];
  for (const session of edited) {
    const before = sessions.get(session.id);
    if (isHere(session)) receive({ ...session, new: false });
    else if (update(session) && hasLeft(session, before)) left.push(session.id);
  }
  leave(left);
}

/** Ask for changes, once in a while. */
function askSoon() {
  if (askTimer || retry.isWaiting) return;
  askTimer = setTimeout(
    () => {
      askTimer = 0;
      if (!document.hidden) catchUp().catch(() => retry.later(askSoon)); // a hidden page catches up when it is shown
    },
    Math.max(ASK_DELAY_MS, askedAt + ASK_INTERVAL_MS - Date.now()),
  );
}

/**
 * Bring all rows up to date, add those that are new and remove those that are gone. Calls follow each other; those that
 * wait are one.
 *
 * @returns {Promise<unknown>} fails if the server does not answer
 */
export function catchUp() {
  askingNext ??= asking
    .catch(() => {})
    .then(() => {
      askingNext = null;
      askedAt = Date.now();
      isAsking = true;
      asking = ask().finally(() => {
        isAsking = false;
      });
      return asking;
    });
  return askingNext;
}

async function ask() {
  while (list.loading) await new Promise((done) => on('list', done, { once: true }));
  if (list.isStale && list.rejected) return;
  if (list.isStale || !list.cursor) return orThrow(await reload());
  const since = list.cursor;
  const view = viewKey();
  heard.clear();
  const answer = await getChanges(page.project, { ...currentFilter(), since });
  retry.reset();
  // other rows have been loaded or are being loaded: of a moment before these changes, perhaps
  if (view !== viewKey() || since !== list.cursor || list.loading) return askSoon();
  if (answer.reset) return startAgain();
  takeMatching(answer);
  await takeGone(answer, view);
  if (since === list.cursor) list.cursor = answer.cursor; // last: if a request fails, all this is asked for again
}

/** Load all rows again: too much has changed. */
async function startAgain() {
  const known = new Set(sessions.keys());
  orThrow(await reloadAll());
  const started = list.ids.filter((id) => !known.has(id)).reverse();
  if (started.length) emit('started', started);
  await Promise.all(state.selected.filter((id) => !list.ids.includes(id)).map(refetch));
}

/** @param {unknown} error null if there is none */
function orThrow(error) {
  if (error) throw error;
}

/** @param {Changes} changes */
function takeMatching({ sessions: matching = [], new: ids = [] }) {
  const created = new Set(ids);
  const started = [];
  let isChanged = false;
  for (const session of matching) {
    const before = sessions.get(session.id);
    if (!update(session)) continue; // the stream was faster
    const isNew = created.has(session.id);
    const isNews = isNew || (queryText() === '' && hasBegunToMatch(before));
    isChanged = judge(session, true, isNews) || isChanged;
    if (isNew && !before) started.push(session.id);
  }
  if (isChanged) emit('list');
  if (started.length) emit('started', started);
}

/**
 * Sessions no longer match, or no longer exist: the former are marked, the latter removed.
 *
 * @param {Changes} changes
 * @param {string} view
 */
async function takeGone({ gone: ids = [], removed = [] }, view) {
  const rows = new Set(list.ids);
  let isChanged = false;
  // without a query, the page has judged by itself what the stream has brought meanwhile
  const gone = ids.filter((id) => queryText() !== '' || !heard.has(id));
  for (const id of gone) isChanged = forgetPlace(id) || isChanged;
  if (gone.length) fetchSummarySoon();
  const shown = gone.filter((id) => rows.has(id) || state.selected.includes(id));
  const found = await stillThere(shown.filter((id) => !removed.includes(id)));
  /** @type {string[]} */
  const left = [];
  for (const id of shown) {
    const session = found.get(id);
    if (!session) {
      remove(id);
      continue;
    }
    const before = sessions.get(id);
    const isLatest = update(session);
    if (!isHere(session)) {
      if (hasLeft(session, before)) left.push(id);
    } else if (isLatest && view === viewKey() && rows.has(id)) isChanged = mark(id, false) || isChanged;
  }
  if (isChanged) emit('list');
  leave(left);
}

/**
 * Those of the sessions that are in the project, wherever they are there.
 *
 * @param {string[]} ids
 * @returns {Promise<Map<string, Session>>}
 */
async function stillThere(ids) {
  /** @type {Map<string, Session>} */
  const found = new Map();
  for (const place of [state.place, ...PLACES.filter((other) => other !== state.place)]) {
    const sought = ids.filter((id) => !found.has(id));
    for (let at = 0; at < sought.length; at += MAX_IDS) {
      const terms = sought.slice(at, at + MAX_IDS).map((id) => `id=${id}`);
      const asked = { q: terms.join(' or '), in: place, limit: MAX_IDS, counts: '0' };
      const answer = await listSessions(page.project, asked);
      for (const session of answer.sessions) found.set(session.id, session);
    }
  }
  return found;
}

/**
 * Bring one session up to date, or remove it if it does not exist any more.
 *
 * @param {string} id
 * @returns {Promise<boolean>} whether it exists, and no newer state of it was known
 */
export async function refetch(id) {
  try {
    const before = sessions.get(id);
    const session = await getSession(id);
    const isLatest = update(session);
    if (!isHere(session) && hasLeft(session, before)) leave([id]);
    return isLatest;
  } catch (error) {
    if (!isMissing(error)) throw error;
    remove(id);
    return false;
  }
}
