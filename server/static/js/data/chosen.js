// Which sessions an action is for: those that the person has chosen, or that of a row.
import { getSessions, listSessions } from './api.js';
import { joined } from './group_query.js';
import { currentFilter, list } from './list_state.js';
import { isChosen, page, sessions, state } from './store.js';

/** @import { Chosen } from './edits.js' */
/** @import { Session } from './session.js' */

const MAX_PAGE_SIZE = 1000; // of the server

/**
 * The sessions that an action on a row is for: all that are chosen if this one is among them, else this one.
 *
 * @param {string} id
 * @returns {Chosen}
 */
export function chosenWith(id) {
  if (state.allMatching) return isChosen(id) ? chosen() : { ids: [id] };
  return !state.automatic && state.selected.includes(id) ? chosen() : { ids: [id] };
}

/**
 * The sessions that the person has chosen.
 *
 * @returns {Chosen}
 */
export const chosen = () =>
  state.allMatching
    ? { matching: chosenFilter(), except: state.excepted }
    : { ids: state.automatic ? [] : state.selected };

const chosenFilter = () => {
  const filter = currentFilter();
  return state.within ? { ...filter, q: joined(filter.q, state.within.q) } : filter;
};

/** @param {Chosen} chosen */
export const countOf = (chosen) =>
  'ids' in chosen ? chosen.ids.length : (state.within?.count ?? list.total) - chosen.except.length;

/**
 * Those of the sessions that are loaded.
 *
 * @param {Chosen} chosen
 * @returns {Session[]}
 */
export function loadedOf(chosen) {
  const ids = 'ids' in chosen ? chosen.ids : matchingIds(chosen.except);
  return ids.map((id) => sessions.get(id)).filter((session) => session !== undefined);
}

/** @param {string[]} except */
function matchingIds(except) {
  const left = new Set([...except, ...list.unmatched]);
  return [...(state.within ? state.within.ids() : list.ids)].filter((id) => !left.has(id));
}

/**
 * The sessions, if they are few; the server is asked for those that are not loaded. Throws what the request throws.
 *
 * @param {Chosen} chosen
 * @param {number} most of more sessions than these, only those that are loaded
 * @returns {Promise<Session[]>}
 */
export async function sessionsOf(chosen, most) {
  const loaded = loadedOf(chosen);
  const count = countOf(chosen);
  if (loaded.length === count || count > most) return loaded;
  if ('ids' in chosen) {
    const known = new Map(loaded.map((session) => [session.id, session]));
    for (const session of await getSessions(chosen.ids.filter((id) => !known.has(id)))) known.set(session.id, session);
    return chosen.ids.flatMap((id) => known.get(id) ?? []);
  }
  const except = new Set(chosen.except);
  const limit = Math.min(MAX_PAGE_SIZE, except.size + most + 1);
  const answer = await listSessions(page.project, { ...chosen.matching, sort: state.sort, limit, counts: '0' });
  return answer.sessions.filter(({ id }) => !except.has(id));
}
