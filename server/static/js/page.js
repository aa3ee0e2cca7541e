// Every page: the theme button, menus, times in words.
import { closeMenusOutside } from './menu.js';
import { showTimes } from './times.js';

for (const button of document.querySelectorAll('[data-theme-toggle]')) {
  button.addEventListener('click', () => dispatchEvent(new Event('losswise:toggle-theme')));
}
showTimes(document);
closeMenusOutside();
