// The table's rows, and the query that they belong to.
import { isHere } from './places.js';
import { sessions, state } from './store.js';

/** @import { Placed } from './places.js' */
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

export const list = {
  /** @type {string[]} the rows' ids, in order */
  ids: [],
  /** @type {string | null} the next page's cursor */
  next: null,
  /** @type {string | null} what has changed after this is not known yet: the cursor of the server's changes */
  cursor: null,
  total: 0,
  /** @type {Partial<Record<Status, number>>} how many sessions of the search have which status */
  counts: {},
  /** @type {Record<string, number>} the best values of statistics, over all sessions of the filter */
  best: {},
  loaded: false,
  loading: false,
  /** @type {string | null} why the last request failed */
  error: null,
  /** Whether the server rejected the query, rather than not responding: it is not asked again. */
  rejected: false,
  /** Whether the rows are not those of the current query, which could not be loaded yet. */
  isStale: false,
  /** @type {Mistake | null} of the query in the search field; the rows are those of the last one without */
  mistake: null,
  /** The last query that the server understood. */
  understood: '',
  /** @type {Set<string>} sessions that are not among the rows, and whose place in the order is not known */
  unplaced: new Set(),
  /** @type {Set<string>} sessions that have changed and may be on a page that is not loaded */
  awaited: new Set(),
  /** @type {Set<string>} rows that no longer match the query; they stay until the next reload */
  unmatched: new Set(),
  /** @type {Session | null} */
  lastDeleted: null,
};

/** The query that the server understands: the one in the search field, or the last one without a mistake. */
export const queryText = () => (list.mistake?.q === state.q ? list.understood : state.q);

export const currentFilter = () => ({
  q: queryText(),
  status: state.status,
  in: state.place,
  utc_offset: -60 * new Date().getTimezoneOffset(),
});

export const currentQuery = () => ({ ...currentFilter(), sort: state.sort });

/** Tells one view of the table from another. */
export const viewKey = () => JSON.stringify([state.q, state.status, state.sort, state.place]);

export const isNewestFirst = () => state.sort === '-created_at';

/**
 * Whether a session belongs into the table, if there is no query: only the server knows what matches one.
 *
 * @param {Pick<Session, 'status'> & Placed} session
 */
export const fitsFilter = (session) => isHere(session) && (!state.status || session.status === state.status);

/**
 * Take in a session, unless a newer state of it is known. One that has not changed stays the same object, so that
 * nothing is drawn again.
 *
 * @param {Session} session
 * @returns {'newer' | 'same' | 'older'} than what was known
 */
export function store(session) {
  const known = sessions.get(session.id);
  if (known && known.version > session.version) return 'older';
  const isSame =
    known?.version === session.version && known.status === session.status && known.change === session.change;
  if (isSame) return 'same';
  sessions.set(session.id, session);
  return 'newer';
}
