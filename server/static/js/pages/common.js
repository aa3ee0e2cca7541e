// The entry point of what all pages share: the theme button, menus, times in words.
import * as menu from '../ui/menu.js';
import { showTimes } from '../ui/times.js';

function start() {
  for (const button of document.querySelectorAll('[data-theme-toggle]')) {
    button.addEventListener('click', () => dispatchEvent(new Event('losswise:toggle-theme')));
  }
  showTimes(document);
  menu.start();
}

start();
