// Do an edit, and say in a toast what has been done, with a button that takes it back.

import { edit, undo } from '../data/edits.js';
import { messageOf } from '../data/http.js';
import { whole } from '../ui/format.js';
import { showToast, UNDO } from '../ui/toast.js';

/** @import { Chosen, Edit, Result } from '../data/edits.js' */

/** @param {number} count */
export const sessionsText = (count) => (count === 1 ? '1 session' : `${whole(count)} sessions`);

/** @param {number} count */
export const binnedText = (count) => `${sessionsText(count)} moved to the bin`;

/**
 * @param {Chosen} chosen
 * @param {Edit} change
 * @param {(count: number) => string} done what has been done to so many sessions, as in '3 sessions archived'
 */
export async function apply(chosen, change, done) {
  try {
    report(await edit(chosen, change), done);
  } catch (error) {
    showToast(messageOf(error), { label: 'Try again', act: () => apply(chosen, change, done) });
  }
}

/**
 * @param {Pick<Result, 'changed' | 'skipped' | 'undo'>} result
 * @param {(count: number) => string} done
 */
export function report({ changed, skipped, undo: token }, done) {
  if (!changed && !skipped.length) return;
  const text = [changed || !skipped.length ? done(changed) : '', ...skipped.map(skippedText)]
    .filter(Boolean)
    .join('. ');
  showToast(text, token ? { label: UNDO, act: () => takeBack(token) } : undefined);
}

/** The page of a session that was just deleted leads here, with the token that takes it back. */
export function reportBinned() {
  const token = new URLSearchParams(location.hash.slice(1)).get('binned');
  history.replaceState(history.state, '', location.pathname + location.search);
  if (token) report({ changed: 1, skipped: [], undo: token }, binnedText);
}

/** @param {{reason: string, sessions: number}} skipped */
export const skippedText = ({ reason, sessions }) => `${sessionsText(sessions)} left as before: ${reason}`;

/** @param {string} token */
async function takeBack(token) {
  try {
    const { changed, skipped } = await undo(token);
    showToast([`Undone for ${sessionsText(changed)}`, ...skipped.map(skippedText)].join('. '));
  } catch (error) {
    showToast(messageOf(error), { label: 'Try again', act: () => takeBack(token) });
  }
}
