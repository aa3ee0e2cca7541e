// The menu of the sessions that the person has chosen, which the button "3 selected" opens.
import { chosen, countOf } from '../data/chosen.js';
import { list } from '../data/session_list.js';
import { chooseAllMatching, select, state } from '../data/store.js';
import { whole } from '../ui/format.js';
import { openMenu } from '../ui/popup_menu.js';
import { menuItems, menuTitle } from './actions.js';

/** @import { MenuItem } from '../ui/popup_menu.js' */

/** @param {{x: number, y: number}} at of the window, in pixels */
export function open(at) {
  /** @type {MenuItem[]} */
  const items = countOf(chosen()) ? menuItems(chosen()) : [];
  if ((!state.allMatching || state.within) && list.total > state.selected.length)
    items.push({
      label: `Select all ${whole(list.total)} that match`,
      key: 'Ctrl A',
      act: () => chooseAllMatching(),
      separated: true,
    });
  items.push({ label: 'Clear the selection', act: () => select([]), separated: state.allMatching });
  openMenu(items, at, menuTitle(undefined));
}
