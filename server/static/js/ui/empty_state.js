// A message in an empty part of the page that says what to do next.
import { make } from './dom.js';

/**
 * @typedef {object} EmptyMessage
 * @property {string} id tells messages apart: the same one is not written again
 * @property {string} title
 * @property {string} [text]
 * @property {string} [code]
 * @property {[label: string, act: () => void]} [button]
 * @property {[label: string, address: string]} [link]
 */

/**
 * Show a message in `box`, or hide the box if there is none.
 *
 * @param {HTMLElement} box
 * @param {EmptyMessage | null} message
 */
export function showEmpty(box, message) {
  box.hidden = message === null;
  const id = message?.id ?? '';
  if (box.dataset.id === id) return;
  box.dataset.id = id;
  const { title, text, code, button, link } = message ?? {};
  const parts = [];
  if (title) parts.push(make('h2', { textContent: title }));
  if (text) parts.push(make('p', { textContent: text }));
  if (code) parts.push(make('pre', { textContent: code, tabIndex: 0 }));
  if (button) parts.push(make('button', { type: 'button', className: 'button', onclick: button[1] }, button[0]));
  if (link) parts.push(make('a', { href: link[1], className: 'button primary' }, link[0]));
  box.replaceChildren(...parts);
}
