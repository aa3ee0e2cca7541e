// The page's address: it holds what makes the picture, so that a copied link shows another person the same.

import { EMPTY, readColumns, writeColumns } from './column_address.js';
import { textOf } from './overlay.js';

/** @import { Layout } from './column_address.js' */
/** @import { Query, Range, ViewOptions, XMode } from './store.js' */

/**
 * What the address holds.
 *
 * @typedef {Query & ViewOptions & {selected: string[], automatic: boolean, zoom: Range | null,
 *   columns: Layout | null} & Cards} Shown
 */

/**
 * How people have changed the cards of graphs.
 *
 * @typedef {object} Cards
 * @property {string[]} hidden lines that are not drawn, see `hiddenLine`
 * @property {string[]} wide titles of the cards that are as wide as the page
 */

const NEWEST_FIRST = '-created_at';
const NO_SELECTION = 'none';
/** @type {readonly string[]} */
const X_MODES = ['step', 'elapsed', 'time', 'percent'];
const PLACES = ['archive', 'bin'];

/** What is shown where the address says nothing. */
export const DEFAULTS = {
  xMode: /** @type {XMode} */ ('step'),
  smooth: 0,
  logY: false,
};

/**
 * Read an address.
 *
 * @param {string} search the part from '?' on
 * @param {Partial<ViewOptions>} kept how this person draws charts, where the address does not say how
 * @returns {Shown}
 */
export function readAddress(search, kept) {
  const query = new URLSearchParams(search);
  const x = query.get('x') ?? '';
  const place = query.get('in') ?? '';
  const view = query.has('x')
    ? {
        xMode: /** @type {XMode} */ (X_MODES.includes(x) ? x : DEFAULTS.xMode),
        smooth: weight(query.get('smooth')),
        logY: query.has('log'),
      }
    : { ...DEFAULTS, ...kept };
  return {
    q: query.get('q') ?? '',
    status: query.get('status') ?? '',
    sort: query.get('sort') ?? NEWEST_FIRST,
    place: /** @type {Shown['place']} */ (PLACES.includes(place) ? place : ''),
    selected: query.getAll('s').filter((id) => id !== NO_SELECTION),
    automatic: !query.has('s'),
    ...view,
    graphFilter: query.get('graphs') ?? '',
    columns: query.has('cols') || query.has('x') ? readColumns(query.get('cols') ?? '') : null,
    zoom: range(query.get('zoom')),
    hidden: query.getAll('hide'),
    wide: query.getAll('wide'),
  };
}

/**
 * The address that shows this: '?...', or '' for a page that nobody has touched.
 *
 * @param {Shown} shown
 */
export function writeAddress(shown) {
  const address = new URLSearchParams();
  /**
   * @param {string} name
   * @param {string | false} value
   */
  const set = (name, value) => value && address.set(name, value);
  set('q', shown.q);
  set('status', shown.status);
  set('in', shown.place);
  set('sort', shown.sort !== NEWEST_FIRST && shown.sort);
  if (!shown.automatic) for (const id of shown.selected) address.append('s', id);
  if (!shown.automatic && !shown.selected.length) address.append('s', NO_SELECTION);
  // with `x`, whoever opens it sees all of it as here, and not as they draw charts themselves
  set('x', shown.xMode);
  set('smooth', shown.smooth > 0 && String(shown.smooth));
  set('log', shown.logY && '1');
  set('cols', writeColumns(shown.columns ?? EMPTY));
  set('graphs', shown.graphFilter);
  set('zoom', shown.zoom !== null && `${shown.zoom.min}..${shown.zoom.max}`);
  for (const line of shown.hidden) address.append('hide', line);
  for (const title of shown.wide) address.append('wide', title);
  const text = textOf(address);
  return text === 'x=step' ? '' : `?${text}`;
}

/**
 * How the address names a legend's entry that is switched off in a card.
 *
 * @param {string} title of the card
 * @param {string} key 's:ID' of a session, or 'n:NAME' of a metric
 */
export const hiddenLine = (title, key) => `${key.slice(0, 2)}${encodeURIComponent(key.slice(2))}:${title}`;

/**
 * The keys of the entries that are switched off in a card.
 *
 * @param {string[]} hidden
 * @param {string} title
 */
export function hiddenKeys(hidden, title) {
  const keys = hidden.map((line) => {
    const end = line.indexOf(':', 2);
    return line.slice(end + 1) === title ? line.slice(0, 2) + decoded(line.slice(2, end)) : '';
  });
  return new Set(keys.filter(Boolean));
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody has edited the address
  }
}

/** @param {string | null} text */
function weight(text) {
  const number = Number(text);
  return number > 0 && number < 1 ? number : 0;
}

/**
 * @param {string | null} text as '100..250'
 * @returns {Range | null}
 */
function range(text) {
  const [min, max] = (text ?? '').split('..').map((part) => (part === '' ? Number.NaN : Number(part)));
  return Number.isFinite(min) && Number.isFinite(max) && min < max ? { min, max } : null;
}
