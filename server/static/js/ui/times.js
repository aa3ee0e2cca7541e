// Times in <time data-time> elements, which the server writes as unix seconds or ISO 8601.
import { exactTime, relativeTime } from './format.js';

/**
 * Write the times below `root` in words.
 *
 * @param {ParentNode} root
 */
export function showTimes(root) {
  for (const time of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll('time[data-time]'))) {
    const text = time.dataset.time ?? '';
    const seconds = Number(text) || Date.parse(text) / 1000;
    time.textContent = relativeTime(seconds, Date.now() / 1000);
    time.title = exactTime(seconds);
  }
}
