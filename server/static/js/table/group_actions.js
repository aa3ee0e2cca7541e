// What can be done to a group of sessions: the menu of its row.
import { isGroupChosen, selectGroup, toggleGroup, wholeQuery } from '../data/group_choice.js';
import { joined } from '../data/group_query.js';
import { groupWithin } from '../data/group_tree.js';
import { fold, isOpen } from '../data/grouping.js';
import { chooseAllMatching, setQuery, state } from '../data/store.js';
import { copy } from '../rows/actions.js';
import { sessionsText } from '../rows/apply.js';
import { openMenu } from '../ui/popup_menu.js';

/** @import { Node } from '../data/group_types.js' */

/**
 * @param {Node} node
 * @param {{x: number, y: number}} at of the window, in pixels
 */
export function open(node, at) {
  const { q, label, group } = node;
  const count = group.sessions;
  openMenu(
    [
      isOpen(q)
        ? { label: 'Close', key: '←', act: () => fold(q, false) }
        : { label: 'Open', key: '→', act: () => fold(q, true) },
      {
        label: isGroupChosen(q) ? 'Remove its mean from the graphs' : 'Show its mean in the graphs',
        key: 'Space',
        separated: true,
        act: () => toggleGroup(q),
      },
      { label: 'Show its mean alone', key: 'Enter', act: () => selectGroup(q) },
      {
        label: count === 1 ? 'Select its session' : `Select all ${sessionsText(count)}`,
        separated: true,
        act: () => chooseAllMatching(groupWithin(node)),
      },
      { label: 'Search for this group', act: () => setQuery({ q: joined(state.q, q) }) },
      { label: 'Copy its query', act: () => copy('Query', wholeQuery(q)) },
    ],
    at,
    `Actions for ${label}`,
  );
}
