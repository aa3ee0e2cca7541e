// Where a session goes that matches the query and is not among the table's rows.
import { isNewestFirst, list } from './list_state.js';
import { emit, sessions } from './store.js';

/** @import { Session } from './session.js' */

/**
 * Put a session into its row if its place is known: when the newest come first, by its own time, as on the server. In
 * other orders it is announced as new; but if it is no news and there are more pages, it may well be on one of them.
 *
 * @param {Session} session
 * @param {boolean} isNews whether it has just been created, or has begun to match
 * @returns {boolean} whether the table shows something else now
 */
export function place(session, isNews) {
  const { id } = session;
  if (list.unplaced.has(id)) return false;
  if (isNewestFirst() || (!list.ids.length && !list.next)) {
    const isPlaced = insert(session);
    if (isPlaced && isNews) list.total += 1;
    if (!isPlaced) list.awaited.add(id);
    return isPlaced;
  }
  const isAnnounced = isNews || !list.next;
  (isAnnounced ? list.unplaced : list.awaited).add(id);
  if (isAnnounced) list.awaited.delete(id);
  return isAnnounced;
}

/**
 * After more rows were loaded: place the sessions that are not among them. One that has changed between two requests may
 * have moved from a page that was not loaded yet to one that was.
 */
export function placeAwaited() {
  const shown = new Set(list.ids);
  for (const id of shown) list.unplaced.delete(id);
  for (const id of [...list.awaited]) {
    const session = sessions.get(id);
    if (shown.has(id) || !session) list.awaited.delete(id);
    else if (isNewestFirst() || !list.next) place(session, false);
  }
}

/**
 * @param {string} id
 * @returns {boolean} whether the table shows something else now
 */
export function forgetPlace(id) {
  list.awaited.delete(id);
  return list.unplaced.delete(id);
}

/**
 * Add a row where the newest come first. Returns whether its page is loaded.
 *
 * @param {Session} session
 */
function insert({ id, created_at: createdAt }) {
  const found = list.ids.findIndex((other) => (sessions.get(other)?.created_at ?? 0) <= createdAt);
  if (found < 0 && list.next) return false;
  list.ids.splice(found < 0 ? list.ids.length : found, 0, id);
  list.awaited.delete(id);
  emit('arrived', id);
  return true;
}
