// Changes that people make to sessions: renaming, tags, notes, stars, the archive, the bin. Each can be undone.
import { ApiError, post, postForFile } from './http.js';
import { receiveEdited } from './list_changes.js';
import { emit, page } from './store.js';

/** @import { Session } from './session.js' */

/**
 * What to change; what is left out stays.
 *
 * @typedef {object} Edit
 * @property {string | null} [tag] the name shown; null for the one that the script gave
 * @property {string[]} [add_tags]
 * @property {string[]} [remove_tags]
 * @property {string} [note]
 * @property {number} [note_version] of the note that was edited: it is not replaced if it has changed since
 * @property {boolean} [starred]
 * @property {boolean} [archived]
 * @property {boolean} [deleted] whether they are in the bin
 * @property {number} [project_id] where to move them
 */

/**
 * Which sessions to change: some, or all that match a query, as it was when they were chosen.
 *
 * @typedef {{ids: string[]} | {matching: Filter, except: string[]}} Chosen
 */

/** @typedef {{q: string, status: string, in: string, utc_offset: number}} Filter */

/**
 * @typedef {object} Result
 * @property {number} changed
 * @property {{reason: string, sessions: number}[]} skipped
 * @property {string | null} [undo] a token
 * @property {Session[] | null} sessions as they are now; null if they are many
 */

/** @param {Chosen} chosen */
function selection(chosen) {
  if ('ids' in chosen) return { sessions: chosen.ids };
  const { matching, except } = chosen;
  return { matching: { project_id: Number(page.project), ...matching, in: matching.in || 'current', except } };
}

/**
 * Change sessions. Throws an ApiError, with the code 'note_changed' if somebody else has changed the note meanwhile.
 *
 * @param {Chosen} chosen
 * @param {Edit} edit
 * @returns {Promise<Result>}
 */
export async function edit(chosen, edit) {
  const result = await post('/api/v2/sessions/edits', { ...selection(chosen), edit });
  takeIn(result);
  return result;
}

/**
 * Take an edit back. What somebody has changed since stays.
 *
 * @param {string} token
 * @returns {Promise<Result>}
 */
export async function undo(token) {
  const result = await post(`/api/v2/undo/${encodeURIComponent(token)}`, {});
  takeIn(result);
  return result;
}

/**
 * Delete sessions that are in the bin, for good. Throws an ApiError if they are not as many as expected, see `otherNumber`.
 *
 * @param {Chosen} chosen
 * @param {number} expected
 * @returns {Promise<{deleted: number, skipped: {reason: string, sessions: number}[]}>}
 */
export async function purge(chosen, expected) {
  const result = await post('/api/v2/sessions/purge', { ...selection(chosen), expected });
  emit('edited');
  return result;
}

/**
 * A file with sessions.
 *
 * @param {Chosen} chosen
 * @param {{format: 'csv' | 'jsonl', columns: string[], sort: string}} options
 * @returns {Promise<{file: Blob, name: string, count: number}>}
 */
export async function exportSessions(chosen, options) {
  const response = await postForFile('/api/v2/sessions/export', { ...selection(chosen), ...options });
  const [, name = 'sessions'] = /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition') ?? '') ?? [];
  return { file: await response.blob(), name, count: Number(response.headers.get('Losswise-Sessions')) };
}

/** @param {Result} result */
function takeIn({ sessions }) {
  receiveEdited(sessions ?? []);
  emit('edited');
}

/** @param {unknown} error */
export const isNoteConflict = (error) => error instanceof ApiError && error.body.code === 'note_changed';

/**
 * How many sessions there are, if that is why nothing was deleted; else null.
 *
 * @param {unknown} error
 * @returns {number | null}
 */
export const otherNumber = (error) =>
  error instanceof ApiError && error.body.code === 'other_number' ? error.body.sessions : null;
