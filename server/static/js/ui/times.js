// Times that the server wrote as unix seconds, as words.
import { exactTime, relativeTime } from './format.js';

export function showTimes(root) {
  for (const time of root.querySelectorAll('time[data-time]')) {
    const seconds = Number(time.dataset.time) || Date.parse(time.dataset.time) / 1000;
    time.textContent = relativeTime(seconds, Date.now() / 1000);
    time.title = exactTime(seconds);
  }
}
