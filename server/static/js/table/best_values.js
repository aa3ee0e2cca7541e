// The best value of each statistics column, over every session of the filter and not only those loaded.
import { listSessions } from '../data/api.js';
import { list } from '../data/session_list.js';
import { emit, on, page as shown, sessions, state } from '../data/store.js';

const WAIT = 400; // milliseconds in which the rows themselves are answered and drawn

let best = new Map();
let asked = '';
let asking = new AbortController();
let timer = 0;

const better = (kind, a, b) => (kind === 'min' ? a < b : a > b);

/** The best of a column, or undefined. */
export const bestOf = (column) => best.get(column.key);

/** Work out the best of these columns from what is loaded; ask the server for the rest. */
export function findBest(columns) {
  const statistics = columns.filter((column) => column.group === 'statistics');
  const found = bestLoaded(statistics);
  for (const column of statistics) {
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
  if (list.next && !list.waiting) askSoon(statistics);
}

function bestLoaded(statistics) {
  const found = new Map();
  for (const id of list.ids) {
    const session = sessions.get(id);
    if (!session) continue;
    for (const column of statistics) {
      const value = column.value(session);
      if (typeof value !== 'number') continue;
      const known = found.get(column.key);
      if (known === undefined || better(column.kind, value, known)) found.set(column.key, value);
    }
  }
  return found;
}

function askSoon(statistics) {
  const key = JSON.stringify([state.q, state.status, statistics.map((column) => column.key)]);
  if (key === asked) return;
  stop();
  asked = key;
  timer = setTimeout(() => askServer(statistics, asking.signal), WAIT);
}

function stop() {
  clearTimeout(timer);
  asking.abort();
  asking = new AbortController();
  asked = '';
}

async function askServer(statistics, signal) {
  try {
    for (const column of statistics) {
      const sort = (column.kind === 'max' ? '-' : '') + column.sort;
      const page = await listSessions(shown.project, { q: state.q, status: state.status, sort, limit: 1 }, signal);
      const value = page.sessions[0] && column.value(page.sessions[0]);
      if (typeof value === 'number') best.set(column.key, value);
    }
    emit('best');
  } catch {
    /* the loaded rows' best stays */
  }
}

// Rows come before their best: what was asked for another search or filter is in their way.
export function start() {
  let before = [state.q, state.status].join();
  on('question', () => {
    const now = [state.q, state.status].join();
    if (now !== before) stop();
    before = now;
  });
}
