// The best value of each statistics column, over every session of the filter and not only those loaded.
import { list } from '../data/list_state.js';
import { requestBest } from '../data/list_summary.js';
import { sessions } from '../data/store.js';

/** @import { Column } from './fixed_columns.js' */

/** @type {Map<string, number>} by column */
let best = new Map();

/** @param {Column} column */
export const bestIn = (column) => best.get(column.key);

/**
 * Find the best of these columns among the loaded sessions and, if there are more, in what the server has answered.
 *
 * @param {Column[]} columns
 */
export function findBest(columns) {
  const loaded = list.ids.map((id) => sessions.get(id)).filter((session) => session !== undefined);
  best = new Map();
  for (const { key, kind, value } of columns) {
    if (!kind || !value) continue;
    const values = loaded.map(value).filter((one) => typeof one === 'number');
    if (list.next && key in list.best) values.push(list.best[key]);
    if (values.length)
      best.set(
        key,
        values.reduce((a, b) => (kind === 'min' ? Math.min(a, b) : Math.max(a, b))),
      );
  }
  if (list.next) requestBest(columns.filter(({ kind }) => kind).map(({ key }) => key));
}
