// How the table is grouped: the levels, the order of groups, and which of them are folded open.
import { emit, showInAddress, state } from './store.js';

/** @import { Grouping } from './address.js' */

export const MAX_LEVELS = 5;

/** @param {Partial<Grouping>} changes */
function set(changes) {
  Object.assign(state, changes);
  showInAddress(Object.keys(changes).join());
  emit('grouping');
}

/**
 * Group the table by these fields, one a level; none for a plain table.
 *
 * @param {string[]} by
 */
export const groupBy = (by) => set({ by: [...new Set(by)].slice(0, MAX_LEVELS), open: [] });

/** @param {Grouping['order']} order */
export const setOrder = (order) => set({ order });

/** @param {string} q */
export const isOpen = (q) => state.open.includes(q);

/**
 * Fold a group open, or closed with all that is in it.
 *
 * @param {string} q
 * @param {boolean} isWanted
 */
export function fold(q, isWanted) {
  const others = state.open.filter((other) => other !== q && !other.startsWith(`${q} and `));
  if (isWanted !== isOpen(q)) set({ open: isWanted ? [...state.open, q] : others });
}
