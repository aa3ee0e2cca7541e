// The best value of each statistics column, over every session of the filter and not only those loaded.
import { listSessions } from './api.js';
import { list } from './sessions.js';
import { emit, project, sessions, state } from './state.js';

let best = new Map();
let asked = '';
let asking = null;

const better = (kind, a, b) => (kind === 'min' ? a < b : a > b);

/** The best of a column, or undefined. */
export const bestOf = (column) => best.get(column.key);

/** Work out the best of these columns from what is loaded; ask the server for the rest. */
export function findBest(columns) {
  const statistics = columns.filter((column) => column.group === 'statistics');
  const found = new Map();
  for (const column of statistics) {
    for (const id of list.ids) {
      const value = sessions.has(id) ? column.value(sessions.get(id)) : null;
      if (typeof value !== 'number') continue;
      const known = found.get(column.key);
      if (known === undefined || better(column.kind, value, known)) found.set(column.key, value);
    }
    const kept = best.get(column.key);
    if (
      list.next &&
      kept !== undefined &&
      (!found.has(column.key) || better(column.kind, kept, found.get(column.key)))
    ) {
      found.set(column.key, kept);
    }
  }
  best = found;
  if (list.next) askServer(statistics);
}

async function askServer(statistics) {
  const key = JSON.stringify([state.q, state.status, statistics.map((column) => column.key)]);
  if (key === asked) return;
  asked = key;
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  try {
    for (const column of statistics) {
      const sort = (column.kind === 'max' ? '-' : '') + column.sort;
      const page = await listSessions(project, { q: state.q, status: state.status, sort, limit: 1 }, signal);
      const value = page.sessions[0] && column.value(page.sessions[0]);
      if (typeof value === 'number') best.set(column.key, value);
    }
    emit('best');
  } catch {
    /* the loaded rows' best stays */
  }
}
