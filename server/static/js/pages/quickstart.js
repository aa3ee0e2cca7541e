// The entry point of the quickstart page: tabs, copy buttons, syntax colors.
import { byId, findAll, make } from '../ui/dom.js';

const COPIED_MS = 2000;
/** @type {Record<string, number>} */
const MOVES = { ArrowRight: 1, ArrowLeft: -1 };
const TOKENS =
  /(#[^\n]*)|("(?:\\.|[^"\\\n])*")|\b(?:import|from|as|with|for|in|if|def|class|return|not|and|or|None|True|False)\b/g;

function start() {
  const tabs = findAll(document, '[role="tab"]');
  tabs.forEach((tab, at) => {
    tab.addEventListener('click', () => openTab(tabs, tab));
    tab.addEventListener('keydown', (event) => {
      const by = MOVES[event.key];
      if (!by) return;
      const next = tabs[(at + by + tabs.length) % tabs.length];
      openTab(tabs, next);
      next.focus();
    });
  });
  const named = tabs.find(({ id }) => id === `tab-${location.hash.slice(1)}`);
  if (named) openTab(tabs, named);
  for (const button of findAll(document, '[data-copy]')) button.addEventListener('click', () => copy(button));
  for (const code of findAll(document, 'code.python')) colorize(code);
}

/**
 * @param {HTMLElement[]} tabs
 * @param {HTMLElement} tab
 */
function openTab(tabs, tab) {
  for (const other of tabs) {
    const isOpen = other === tab;
    other.ariaSelected = String(isOpen);
    other.tabIndex = isOpen ? 0 : -1;
    byId(other.getAttribute('aria-controls') ?? '').hidden = !isOpen;
  }
  history.replaceState(null, '', `#${tab.id.replace('tab-', '')}`);
}

/** @param {HTMLElement} button */
async function copy(button) {
  const code = byId(button.dataset.copy ?? '');
  let label = 'Copied';
  try {
    await navigator.clipboard.writeText(code.textContent ?? '');
  } catch {
    // without https or a loopback address there is no clipboard: select the text for the user
    label = 'Selected: press Ctrl C';
    getSelection()?.selectAllChildren(code);
  }
  button.textContent = label;
  setTimeout(() => {
    button.textContent = 'Copy';
  }, COPIED_MS);
}

/**
 * Put spans around comments, strings and keywords. The text itself stays the same.
 *
 * @param {HTMLElement} code
 */
function colorize(code) {
  const text = code.textContent ?? '';
  /** @type {(Node | string)[]} */
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    const className = match[1] ? 'comment' : match[2] ? 'string' : 'word';
    parts.push(text.slice(end, match.index), make('span', { className }, match[0]));
    end = match.index + match[0].length;
  }
  code.replaceChildren(...parts, text.slice(end));
}

start();
