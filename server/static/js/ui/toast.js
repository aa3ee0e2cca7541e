// A message at the foot of the page for what has just been done, with a button such as Undo. The newest replaces others.
import { make } from './dom.js';

const SHOWN_MS = 10_000;
export const UNDO = 'Undo';

/** @type {HTMLElement | null} is there before its first text, so that screen readers read that */
let region = null;

/** @type {HTMLElement | null} */
let shown = null;
let timer = 0;

/**
 * Show a message until it is closed or some seconds have passed; those do not run while the pointer or the focus is on
 * it.
 *
 * @param {string} text
 * @param {{label: string, act: () => void}} [action]
 */
export function showToast(text, action) {
  hide();
  const close = make('button', { type: 'button', className: 'toast-close', ariaLabel: 'Close', onclick: hide }, '×');
  const toast = make('div', { className: 'toast' }, make('span', {}, text));
  if (action) {
    const run = () => {
      hide();
      action.act();
    };
    toast.append(make('button', { type: 'button', className: 'toast-action', onclick: run }, action.label));
  }
  toast.append(close);
  if (!region) {
    region = make('div', { role: 'status' });
    document.body.append(region);
  }
  const place = region;
  requestAnimationFrame(() => shown === toast && place.append(toast));
  shown = toast;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => (toast.matches(':hover, :focus-within') ? wait() : hide()), SHOWN_MS);
  };
  wait();
}

/** Undo what the toast that is shown is about, if it can be undone. */
export function undoLast() {
  const button = /** @type {HTMLElement | null | undefined} */ (shown?.querySelector('.toast-action'));
  if (button?.textContent === UNDO) button.click();
}

function hide() {
  clearTimeout(timer);
  shown?.remove();
  shown = null;
}
