// The best value of each statistics column, over every session of the filter and not only those loaded.
import { list } from '../data/list_state.js';
import { requestBest } from '../data/list_summary.js';
import { sessions } from '../data/store.js';

/** @import { Column } from './fixed_columns.js' */

const SHARE_OF_TIME = 0.05; // of the page's, for finding the best again and again while sessions change

/** @type {Map<string, number>} by column */
let best = new Map();
/** @type {{columns: Column[], ids: string[]}} what `best` is of */
let found = { columns: [], ids: [] };
let findAgainAt = 0; // in milliseconds, as performance.now()
let timer = 0;

/** @param {Column} column */
export const bestIn = (column) => best.get(column.key);

/**
 * Find the best of these columns among the loaded sessions and, if there are more, in what the server has answered.
 *
 * @param {Column[]} columns
 * @param {() => void} [findAgain] called a little later, if the best of the same rows was found only just now: looking at
 *   thousands of rows takes long, and some change all the time
 */
export function findBest(columns, findAgain) {
  clearTimeout(timer);
  const started = performance.now();
  if (findAgain && started < findAgainAt && columns === found.columns && list.ids === found.ids) {
    timer = setTimeout(findAgain, findAgainAt - started);
    return;
  }
  best = new Map();
  const loaded = list.ids.map((id) => sessions.get(id)).filter((session) => session !== undefined);
  for (const { key, kind, value } of columns) {
    if (!kind || !value) continue;
    const choose = kind === 'min' ? Math.min : Math.max;
    /** @type {number | undefined} */
    let chosen = list.next ? list.best[key] : undefined;
    for (const session of loaded) {
      const one = value(session);
      if (typeof one === 'number') chosen = chosen === undefined ? one : choose(chosen, one);
    }
    if (chosen !== undefined) best.set(key, chosen);
  }
  if (list.next) requestBest(columns.filter(({ kind }) => kind).map(({ key }) => key));
  found = { columns, ids: list.ids };
  const ended = performance.now();
  findAgainAt = ended + (ended - started) / SHARE_OF_TIME;
}
