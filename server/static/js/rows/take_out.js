// What takes chosen sessions out of the table: into a file, or to a page that compares them.

import { exportSessions } from '../data/edits.js';
import { messageOf } from '../data/http.js';
import { shownColumns } from '../data/shown_columns.js';
import { page, state } from '../data/store.js';
import { make } from '../ui/dom.js';
import { showToast } from '../ui/toast.js';
import { sessionsText } from './apply.js';

/** @import { Session } from '../data/session.js' */
/** @import { Chosen } from '../data/edits.js' */

export const MAX_COMPARED = 20; // of the server

/**
 * Download a file with the sessions.
 *
 * @param {Chosen} chosen
 * @param {'csv' | 'jsonl'} format
 */
export async function download(chosen, format) {
  try {
    const columns = ['id', ...shownColumns().filter((key) => key !== 'pick' && key !== 'id')];
    const { file, name, count } = await exportSessions(chosen, { format, columns, sort: state.sort });
    const link = make('a', { href: URL.createObjectURL(file), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    showToast(`${sessionsText(count)} in ${name}`);
  } catch (error) {
    showToast(messageOf(error), { label: 'Try again', act: () => download(chosen, format) });
  }
}

/**
 * Show the sessions side by side.
 *
 * @param {Session[]} sessions all that are chosen, unless these are too many
 * @param {number} count how many are chosen
 */
export function compare(sessions, count) {
  const most = Math.max(count, sessions.length); // others may match by now
  if (most > MAX_COMPARED)
    return showToast(`At most ${MAX_COMPARED} sessions can be compared at once: ${sessionsText(most)} are chosen`);
  if (sessions.length < 2) return showToast('Fewer than two of these sessions are still there');
  const address = new URLSearchParams(sessions.map(({ id }) => ['s', id]));
  location.assign(`/projects/${page.project}/compare?${address}`);
}
