// How the user has changed the cards of graphs: lines that are hidden, cards as wide as the page.
import { hiddenKeys, hiddenLine } from './address.js';
import { setView, state } from './store.js';

/**
 * The keys of the legend's entries that are switched off in a card.
 *
 * @param {string} title
 */
export const hiddenIn = (title) => hiddenKeys(state.hidden, title);

/**
 * Switch an entry of a card's legend on or off.
 *
 * @param {string} title
 * @param {string} key
 */
export function toggleLine(title, key) {
  const line = hiddenLine(title, key);
  const isHidden = state.hidden.includes(line);
  setView({ hidden: isHidden ? state.hidden.filter((other) => other !== line) : [...state.hidden, line] });
}

/**
 * Make a card as wide as the page, or as wide as the others again.
 *
 * @param {string} title
 */
export function toggleWidth(title) {
  const isWide = state.wide.includes(title);
  setView({ wide: isWide ? state.wide.filter((other) => other !== title) : [...state.wide, title] });
}
