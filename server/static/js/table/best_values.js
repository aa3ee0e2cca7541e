// The best value of each statistics column, over every session of the filter and not only those loaded.
import { list, needBest } from '../data/session_list.js';
import { sessions } from '../data/store.js';

let best = new Map();

/** The best of a column, or undefined. */
export const bestOf = (column) => best.get(column.key);

/** Find the best of these columns among the loaded sessions and, while there are more, what the server says. */
export function findBest(columns) {
  const statistics = columns.filter((column) => column.group === 'statistics');
  const loaded = list.ids.map((id) => sessions.get(id)).filter(Boolean);
  best = new Map();
  for (const { key, kind, value } of statistics) {
    const values = loaded.map(value).filter((one) => typeof one === 'number');
    if (list.next && key in list.best) values.push(list.best[key]);
    if (values.length) best.set(key, kind === 'min' ? Math.min(...values) : Math.max(...values));
  }
  if (list.next) needBest(statistics.map((column) => column.sort));
}
