// The groups of sessions that the charts show, each as a mean line with a band.
import { labelOf } from './group_query.js';
import { assignColors, emit, select, showInAddress, state } from './store.js';

/** @typedef {import('./address.js').Group} Group */

/**
 * Put a group into the charts, or take it out.
 *
 * @param {Group} group
 */
export function toggleGroup({ q, label }) {
  if (isGroupChosen(q)) return setGroups(state.groups.filter((other) => other.q !== q));
  setGroups([...state.groups, { q, label: label || labelOf(q) }]);
}

/**
 * Show a group alone.
 *
 * @param {Group} group
 */
export function selectGroup(group) {
  setGroups([group]);
  select([]);
}

/** @param {string} q */
export const isGroupChosen = (q) => state.groups.some((group) => group.q === q);

/** @param {Group[]} groups */
function setGroups(groups) {
  state.groups = groups;
  assignColors();
  showInAddress('groups');
  emit('groups');
}
