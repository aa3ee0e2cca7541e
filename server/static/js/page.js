// Every page: the theme button, menus, times in words.
import { closeMenusOutside } from './menu.js';
import { exactTime, relativeTime } from './format.js';

for (const button of document.querySelectorAll('[data-theme-toggle]')) {
  button.addEventListener('click', () => dispatchEvent(new Event('losswise:toggle-theme')));
}
for (const time of document.querySelectorAll('time[data-time]')) {
  const seconds = Number(time.dataset.time) || Date.parse(time.dataset.time) / 1000;
  time.textContent = relativeTime(seconds, Date.now() / 1000);
  time.title = exactTime(seconds);
}
closeMenusOutside();
