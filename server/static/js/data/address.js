// The page's address: it holds what makes the picture, so that a copied link shows another person the same.

import { EMPTY, readColumns, writeColumns } from './column_address.js';
import { labelOf } from './group_query.js';
import { textOf } from './overlay.js';

/** @import { Layout } from './column_address.js' */
/** @import { BandKind, Query, Range, ViewOptions, XMode } from './store.js' */

/**
 * What the address holds.
 *
 * @typedef {Query & ViewOptions & {selected: string[], automatic: boolean, zoom: Range | null,
 *   columns: Layout | null} & Cards & Grouping} Shown
 */

/**
 * A group of sessions.
 *
 * @typedef {object} Group
 * @property {string} q the query for its sessions, without that of the search field
 * @property {string} label
 */

/**
 * A group whose sessions are all chosen for an action.
 *
 * @typedef {object} Within
 * @property {string} q
 * @property {number} count
 * @property {() => Set<string>} ids those of its sessions that are loaded
 */

/**
 * How the table is grouped.
 *
 * @typedef {object} Grouping
 * @property {string[]} by the field of each level
 * @property {GroupOrder} order
 * @property {string[]} open the queries of the groups that are folded open
 * @property {Group[]} groups those that the charts show
 */

/** @typedef {'' | '-sessions' | '-updated'} GroupOrder '' for the order of their values */

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
const MAX_LEVELS = 5;
const MAX_OPEN = 30; // that an address names
const MAX_GROUPS = 30;
const GROUP_ORDERS = ['-sessions', '-updated'];
const PLACES = ['archive', 'bin'];
/** @type {readonly string[]} */
const BANDS = ['sd', 'se', 'minmax', 'none'];

/** What is shown where the address says nothing. */
export const DEFAULTS = {
  xMode: /** @type {XMode} */ ('step'),
  smooth: 0,
  logY: false,
  band: /** @type {BandKind} */ ('sd'),
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
  const order = query.get('order') ?? '';
  const view = query.has('x')
    ? {
        xMode: /** @type {XMode} */ (X_MODES.includes(x) ? x : DEFAULTS.xMode),
        smooth: weight(query.get('smooth')),
        logY: query.has('log'),
        band: bandKind(query.get('band') ?? ''),
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
    by: [...new Set(query.getAll('by'))].slice(0, MAX_LEVELS),
    order: /** @type {GroupOrder} */ (GROUP_ORDERS.includes(order) ? order : ''),
    open: query.getAll('open').slice(0, MAX_OPEN),
    groups: [...new Set(query.getAll('g').filter(Boolean))].slice(0, MAX_GROUPS).map((q) => ({ q, label: labelOf(q) })),
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
  for (const field of shown.by) address.append('by', field);
  set('order', shown.by.length > 0 && shown.order);
  if (shown.by.length) for (const q of shown.open.slice(0, MAX_OPEN)) address.append('open', q);
  for (const { q } of shown.groups.slice(0, MAX_GROUPS)) address.append('g', q);
  // with `x`, whoever opens it sees all of it as here, and not as they draw charts themselves
  set('x', shown.xMode);
  set('smooth', shown.smooth > 0 && String(shown.smooth));
  set('log', shown.logY && '1');
  set('band', shown.band !== DEFAULTS.band && shown.band);
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
 * @param {string} key 's:ID' of a session, 'g:QUERY' of a group, or 'n:NAME' of a metric
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

/** @param {string} text */
const bandKind = (text) => /** @type {BandKind} */ (BANDS.includes(text) ? text : DEFAULTS.band);

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
