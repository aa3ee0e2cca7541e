// Every page: the theme button, menus, times in words.
import { closeMenusOutside } from '../ui/menu.js';
import { showTimes } from '../ui/times.js';

export function start() {
  for (const button of document.querySelectorAll('[data-theme-toggle]')) {
    button.addEventListener('click', () => dispatchEvent(new Event('losswise:toggle-theme')));
  }
  showTimes(document);
  closeMenusOutside();
}

start();
