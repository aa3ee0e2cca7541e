// The groups of sessions that the charts show, each as a mean line with a band.
import { labelWithin, queryWithin } from './group_query.js';
import { queryText } from './list_state.js';
import { assignColors, emit, select, showInAddress, state } from './store.js';

/** @import { Group } from './address.js' */

/**
 * The query for the sessions that a group's row counts, which are within the search and the status filter. A group is
 * chosen by this query, and stays what it is when these change.
 *
 * @param {string} q the group's own query
 */
export const wholeQuery = (q) => queryWithin(part(), q);

const part = () => ({ q: queryText(), status: state.status });

/**
 * Put a group of the table into the charts, or take it out.
 *
 * @param {string} q the group's own query
 */
export function toggleGroup(q) {
  const whole = wholeQuery(q);
  setGroups(isChosen(whole) ? state.groups.filter((other) => other.q !== whole) : [...state.groups, groupOf(whole)]);
}

/**
 * Take a group out of the charts, whatever the table shows by now.
 *
 * @param {Group} group
 */
export const removeGroup = (group) => setGroups(state.groups.filter((other) => other.q !== group.q));

/**
 * Show a group of the table alone.
 *
 * @param {string} q the group's own query
 */
export function selectGroup(q) {
  state.groups = [groupOf(wholeQuery(q))];
  select([]);
  setGroups(state.groups, 'selection'); // a part of the same step
}

/**
 * Whether the charts show a group of the table.
 *
 * @param {string} q the group's own query
 */
export const isGroupChosen = (q) => isChosen(wholeQuery(q));

/** @param {string} whole */
const isChosen = (whole) => state.groups.some((group) => group.q === whole);

/**
 * @param {string} whole
 * @returns {Group}
 */
const groupOf = (whole) => ({ q: whole, label: labelWithin(part(), whole) });

/**
 * @param {Group[]} groups
 * @param {string} [kind] of the change, for the back button
 */
function setGroups(groups, kind = 'groups') {
  state.groups = groups;
  assignColors();
  showInAddress(kind);
  emit('groups');
}
