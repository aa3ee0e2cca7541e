// A menu that opens at a place of the page: for a row, or below a button. Keys move, choose and close it.
import { findAll, make } from './dom.js';

const MARGIN = 8; // pixels to the window's edges

/**
 * @typedef {object} MenuItem
 * @property {string} label
 * @property {string} [key] the keyboard shortcut that does the same
 * @property {() => void} act
 * @property {boolean} [danger]
 * @property {boolean} [separated] whether a line is above it
 * @property {string} [heading] text above it
 * @property {boolean} [checked] of a group of which one is chosen: whether it is this one
 */

/** @type {(() => void) | null} */
let closeOpen = null;

/**
 * Open a menu; another one closes.
 *
 * @param {MenuItem[]} items
 * @param {{x: number, y: number}} at of the window, in pixels
 * @param {string} label for screen readers
 */
export function openMenu(items, at, label) {
  closeOpen?.();
  const before = /** @type {HTMLElement | null} */ (document.activeElement);
  const menu = make('div', { className: 'popup-menu', role: 'menu', ariaLabel: label, tabIndex: -1 });
  const closing = new AbortController();
  const close = () => {
    closing.abort();
    menu.remove();
    closeOpen = null;
    before?.focus({ preventScroll: true });
  };
  for (const item of items) {
    if (item.separated && menu.children.length) menu.append(make('hr'));
    if (item.heading) menu.append(make('div', { className: 'heading', role: 'presentation' }, item.heading));
    menu.append(entry(item, close));
  }
  document.body.append(menu);
  const { width, height } = menu.getBoundingClientRect();
  menu.style.left = `${Math.max(MARGIN, Math.min(at.x, innerWidth - width - MARGIN))}px`;
  menu.style.top = `${Math.max(MARGIN, at.y + height + MARGIN > innerHeight ? at.y - height : at.y)}px`;
  const { signal } = closing;
  document.addEventListener('pointerdown', (e) => !menu.contains(/** @type {Node} */ (e.target)) && close(), {
    signal,
  });
  addEventListener('resize', close, { signal });
  addEventListener('blur', close, { signal });
  menu.addEventListener('keydown', (event) => pressed(event, menu, close), { signal });
  menu.addEventListener('contextmenu', (event) => event.preventDefault(), { signal });
  closeOpen = close;
  entriesOf(menu)[0]?.focus();
}

/** @param {HTMLElement} menu */
const entriesOf = (menu) => findAll(menu, '[role^=menuitem]');

/**
 * @param {MenuItem} item
 * @param {() => void} close
 */
function entry({ label, key, act, danger, checked }, close) {
  const role = checked === undefined ? 'menuitem' : 'menuitemradio';
  const button = make('button', { type: 'button', role, tabIndex: -1 }, make('span', {}, label));
  if (checked !== undefined) button.ariaChecked = String(checked);
  if (key) button.append(make('kbd', { ariaHidden: 'true' }, key));
  button.classList.toggle('danger', Boolean(danger));
  button.addEventListener('click', () => {
    close();
    act();
  });
  button.addEventListener('pointermove', () => button.focus({ preventScroll: true }));
  return button;
}

/**
 * @param {KeyboardEvent} event
 * @param {HTMLElement} menu
 * @param {() => void} close
 */
function pressed(event, menu, close) {
  const items = entriesOf(menu);
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  /** @type {Record<string, () => void>} */
  const keys = {
    ArrowDown: () => items[(at + 1) % items.length].focus(),
    ArrowUp: () => items[(at + items.length - (at < 0 ? 0 : 1)) % items.length].focus(),
    Home: () => items[0].focus(),
    End: () => items[items.length - 1].focus(),
    Escape: close,
    Tab: close,
  };
  event.stopPropagation();
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  } else if (event.key.length === 1 && event.key !== ' ') {
    const after = [...items.slice(at + 1), ...items.slice(0, at + 1)];
    after.find((item) => item.textContent?.toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
  }
}
