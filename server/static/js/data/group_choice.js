// Which groups of sessions the graphs show, each as a mean with a band.
import { setGroups, state } from './store.js';

/** @import { Group } from './store.js' */

/**
 * @param {string} q the query that selects the group
 */
export const isGroupChosen = (q) => state.groups.some((group) => group.q === q);

/**
 * Put a group into the graphs, or take it out.
 *
 * @param {Group} group
 */
export function toggleGroup(group) {
  const others = state.groups.filter(({ q }) => q !== group.q);
  setGroups(others.length < state.groups.length ? others : [...others, group]);
}
