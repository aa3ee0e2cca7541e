// A message at the foot of the page for what has just been done, with a button such as Undo. The newest replaces others.
import { make } from './dom.js';

const SHOWN_MS = 10_000;

/** @type {HTMLElement | null} */
let shown = null;
let timer = 0;

/**
 * Show a message until it is closed or some seconds have passed; those do not run while the pointer or the focus is on
 * it.
 *
 * @param {string} text
 * @param {{label: string, act: () => void, isProblem?: boolean}} [action]
 */
export function showToast(text, action) {
  hide();
  const close = make('button', { type: 'button', className: 'toast-close', ariaLabel: 'Close', onclick: hide }, '×');
  const toast = make('div', { className: 'toast', role: 'status' }, make('span', {}, text));
  if (action) {
    const run = () => {
      hide();
      action.act();
    };
    toast.append(make('button', { type: 'button', className: 'toast-action', onclick: run }, action.label));
  }
  toast.append(close);
  document.body.append(toast);
  shown = toast;
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => (toast.matches(':hover, :focus-within') ? wait() : hide()), SHOWN_MS);
  };
  wait();
}

/** Run the action of the toast that is shown, if it has one. */
export const runToastAction = () => /** @type {HTMLElement | null} */ (shown?.querySelector('.toast-action'))?.click();

function hide() {
  clearTimeout(timer);
  shown?.remove();
  shown = null;
}
