// Menus are <details> elements, which the browser opens.
import { find } from './dom.js';

const openMenus = () => /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll('details.menu[open]'));

/** Close open menus on a click elsewhere and on Escape. */
export function start() {
  document.addEventListener('click', (event) => {
    for (const menu of openMenus()) if (!menu.contains(/** @type {Node} */ (event.target))) menu.open = false;
  });
  document.addEventListener(
    'keydown',
    (event) => {
      if (event.key !== 'Escape') return;
      for (const menu of openMenus()) {
        menu.open = false;
        find(menu, 'summary').focus();
        event.stopImmediatePropagation();
      }
    },
    true,
  );
}
