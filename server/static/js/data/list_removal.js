// Rows that leave the table: their sessions are deleted, or in another place now.
import { forgetPlace } from './list_places.js';
import { list } from './list_state.js';
import { fetchSummarySoon } from './list_summary.js';
import { isHere } from './places.js';
import { emit, select, sessions, state } from './store.js';

/** @import { Session } from './session.js' */

/**
 * Whether a session that is elsewhere was here before. One that was not may be selected nevertheless.
 *
 * @param {Session} session
 * @param {Session | undefined} before
 */
export const hasLeft = (session, before) => list.ids.includes(session.id) || (before !== undefined && isHere(before));

/**
 * Sessions are elsewhere now: in the archive, in the bin, in another project, or back from there.
 *
 * @param {string[]} ids
 */
export function leave(ids) {
  if (!ids.length) return;
  const gone = new Set(ids);
  const selected = state.selected.filter((id) => !gone.has(id));
  let isChanged = false;
  for (const id of ids) isChanged = dropRow(id) || isChanged;
  if (selected.length < state.selected.length) select(selected, { automatic: state.automatic, byItself: true });
  if (!isChanged) return;
  fetchSummarySoon();
  emit('list');
}

/**
 * @param {string} id
 * @returns {boolean} whether the table shows something else now
 */
function dropRow(id) {
  const wasAnnounced = forgetPlace(id);
  list.unmatched.delete(id);
  const at = list.ids.indexOf(id);
  if (at < 0) return wasAnnounced;
  list.ids.splice(at, 1);
  list.total -= 1;
  return true;
}

/** @param {string} id */
export function remove(id) {
  list.lastDeleted = sessions.get(id) ?? null;
  sessions.delete(id);
  dropRow(id);
  fetchSummarySoon();
  emit('deleted', id);
  emit('list');
}
