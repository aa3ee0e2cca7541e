// The menu of a row. It acts on all chosen sessions if the row is one of them.
import { chosenWith, countOf } from '../data/chosen.js';
import { sessions } from '../data/store.js';
import { openMenu } from '../ui/popup_menu.js';
import { actionsFor, menuItems, menuTitle, run } from './actions.js';

/**
 * @param {string} id
 * @param {{x: number, y: number}} at of the window, in pixels
 */
export function open(id, at) {
  const chosen = chosenWith(id);
  openMenu(menuItems(chosen), at, menuTitle(countOf(chosen) === 1 ? sessions.get(id) : undefined));
}

/**
 * Do an action to a session, or to all chosen ones if it is one of them.
 *
 * @param {string} action
 * @param {string} id
 */
export function runOn(action, id) {
  const chosen = chosenWith(id);
  const found = actionsFor(chosen).find((one) => one.id === action);
  if (found) run(found, chosen);
}
