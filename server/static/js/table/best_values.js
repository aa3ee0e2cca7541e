// The best value of each statistics column, over every session of the filter and not only those loaded.
import { list } from '../data/list_state.js';
import { requestBest } from '../data/list_summary.js';
import { on, sessions } from '../data/store.js';

/** @import { Session } from '../data/session.js' */
/** @import { Column } from './fixed_columns.js' */

const SHARE_OF_TIME = 0.05; // of the page's, for looking at all loaded sessions while some of them change

/** @type {Map<string, number>} by column */
let best = new Map();
/** @type {Column[]} those that `best` is of */
let foundFor = [];
let foundAgainAt = 0; // when the loaded sessions may be looked at again, in milliseconds
let timer = 0;
/** @type {Set<Session>} what has changed since they were looked at */
const changed = new Set();

/** @param {Column} column */
export const bestIn = (column) => best.get(column.key);

on('session', (session) => changed.add(session));

/**
 * Find the best of these columns among the loaded sessions and, if there are more, in what the server has answered. With
 * thousands of loaded sessions, those that have changed are compared at once, and all of them a little later.
 *
 * @param {Column[]} columns
 * @param {() => void} [findAgain] called when it is time for that
 */
export function findBest(columns, findAgain) {
  clearTimeout(timer);
  const started = performance.now();
  const isEarly = findAgain !== undefined && columns === foundFor && started < foundAgainAt;
  if (isEarly) timer = setTimeout(findAgain, foundAgainAt - started);
  else best = new Map();
  const among = isEarly ? changed : loaded();
  for (const { key, kind, value } of columns) {
    if (!kind || !value) continue;
    const choose = kind === 'min' ? Math.min : Math.max;
    let found = best.get(key) ?? (list.next ? list.best[key] : undefined);
    for (const session of among) {
      const one = value(session);
      if (typeof one === 'number') found = found === undefined ? one : choose(found, one);
    }
    if (found !== undefined) best.set(key, found);
  }
  changed.clear();
  if (isEarly) return;
  foundFor = columns;
  foundAgainAt = performance.now() + (performance.now() - started) / SHARE_OF_TIME;
  if (list.next) requestBest(columns.filter(({ kind }) => kind).map(({ key }) => key));
}

/** The sessions that are loaded. */
const loaded = () => list.ids.map((id) => sessions.get(id)).filter((session) => session !== undefined);
