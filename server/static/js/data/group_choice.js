// Which groups of sessions the charts show, each as a mean with a band.
import { assignColors, emit, showInAddress, state } from './store.js';

/** @import { Group } from './address.js' */

/**
 * Put a group into the charts, or take it out.
 *
 * @param {Group} group
 */
export function toggleGroup(group) {
  if (isGroupChosen(group.q)) return setGroups(state.groups.filter(({ q }) => q !== group.q));
  setGroups([...state.groups, group]);
}

/**
 * @param {string} q the query that selects the group
 */
export const isGroupChosen = (q) => state.groups.some((group) => group.q === q);

/** @param {Group[]} groups */
function setGroups(groups) {
  state.groups = groups;
  assignColors();
  showInAddress('groups');
  emit('groups');
}
