// Which sessions are shown until the person chooses some: the newest, so that a script that starts has its curves.
import { list } from '../data/list_state.js';
import { on, select, sessions, state } from '../data/store.js';

const SHOWN = 5;

let isFirst = true;

export function start() {
  place = state.place;
  on('list', fill);
  on('selection', () => state.selected.length || fill());
  on('groups', makeRoom);
  on('query', startAnew);
  on('started', follow);
}

let place = '';

/** In another place, begin with the newest sessions there. */
function startAnew() {
  if (place === state.place) return;
  place = state.place;
  if (state.automatic) select([], { automatic: true });
}

/** Leave the graphs to the groups that somebody has chosen, as long as there are any. */
function makeRoom() {
  if (!state.automatic) return;
  if (state.groups.length) select([], { automatic: true });
  else fill();
}

/** Show the first rows. Those of a filter or another order only if the page begins with it. */
function fill() {
  const isOtherView = state.q || state.status || state.place || state.sort !== '-created_at';
  if (!state.automatic || state.groups.length || !list.loaded || list.loading) return;
  if (isOtherView && !isFirst && state.selected.length) return;
  isFirst = false;
  const room = Math.max(0, SHOWN - state.selected.length);
  const fresh = list.ids.filter((id) => !state.selected.includes(id)).slice(0, room);
  if (fresh.length) select([...state.selected, ...fresh], { automatic: true });
}

/**
 * Show sessions that have been created, in the place of those that have been shown longest. In a filter, others may match
 * than those.
 *
 * @param {string[]} ids
 */
function follow(ids) {
  if (!state.automatic || state.groups.length || !list.loaded || state.q || state.status || state.place) return;
  const started = ids.filter(isStart).reverse();
  const shown = [...new Set([...started, ...state.selected])];
  if (started.length) select(shown.slice(0, SHOWN), { automatic: true });
}

/**
 * Whether a script has just started, or run and ended at once, rather than an earlier run been sent now.
 *
 * @param {string} id
 */
const isStart = (id) => sessions.get(id)?.status === 'active' || list.ids.slice(0, SHOWN).includes(id);
