// Which sessions and graphs the groups have that the graphs show. What matches a group's query, only the server knows: it
// is asked once in a while when sessions have changed.
import { showToast } from '../ui/toast.js';
import { getGroupGraphs } from './group_series_api.js';
import { isPassing, messageOf } from './http.js';
import { emit, on, page, state } from './store.js';

/** @import { GroupGraph } from './group_series_api.js' */
/** @import { Session } from './session.js' */

const CHECK_MS = 5000; // between two requests about a group
const NEWS_MS = 1000; // if one of its sessions has a new graph
const LEAST_MS = 500;
const RETRY_MS = 3000;

/**
 * @typedef {object} Known
 * @property {GroupGraph[] | null} graphs null until they are known
 * @property {number} sessions how many it has
 * @property {Set<string>} ids of the newest of them
 * @property {number} checkedAt in milliseconds
 * @property {number} timer
 */

/** @type {Map<string, Known>} by query */
const groups = new Map();
let place = '';

export function start() {
  place = state.place;
  on('groups', follow);
  on('query', () => {
    if (place === state.place) return;
    place = state.place;
    for (const { timer } of groups.values()) clearTimeout(timer);
    groups.clear();
    follow();
  });
  on('session', changed);
  on('deleted', (id) => {
    for (const [q, { ids }] of groups) if (ids.has(id)) tellOf(q);
  });
  follow();
}

/** Learn what the chosen groups have, and forget the others. */
function follow() {
  for (const [q, { timer }] of groups) {
    if (state.groups.some((group) => group.q === q)) continue;
    clearTimeout(timer);
    groups.delete(q);
  }
  for (const { q } of state.groups) {
    if (groups.has(q)) continue;
    groups.set(q, { graphs: null, sessions: 0, ids: new Set(), checkedAt: 0, timer: 0 });
    check(q);
  }
}

/**
 * What the requests about a group have in common: which sessions it has does not depend on the search field.
 *
 * @param {string} q
 */
export const askedOf = (q) => ({ q, in: state.place, utc_offset: -60 * new Date().getTimezoneOffset() });

/**
 * The graphs of a group's sessions; null until they are known.
 *
 * @param {string} q
 */
export const graphsOf = (q) => groups.get(q)?.graphs ?? null;

/** @param {string} q */
async function check(q) {
  const known = groups.get(q);
  if (!known) return;
  known.checkedAt = performance.now();
  try {
    const { sessions, ids, graphs } = await getGroupGraphs(page.project, askedOf(q));
    if (groups.get(q) !== known) return;
    const isSame = known.graphs && sessions === known.sessions && ids.every((id) => known.ids.has(id));
    Object.assign(known, { sessions, ids: new Set(ids), graphs });
    if (!isSame) emit('members', q);
  } catch (error) {
    if (groups.get(q) !== known) return;
    if (isPassing(error)) return checkSoon(q, RETRY_MS);
    known.graphs ??= [];
    showToast(`The group “${q}” cannot be shown: ${messageOf(error)}`);
  }
  emit('groupgraphs', q);
}

/**
 * @param {string} q
 * @param {number} interval since the last request
 */
function checkSoon(q, interval) {
  const known = groups.get(q);
  if (!known || known.timer) return;
  const act = () => {
    known.timer = 0;
    if (groups.get(q) === known) check(q);
  };
  known.timer = setTimeout(act, Math.max(LEAST_MS, known.checkedAt + interval - performance.now()));
}

/**
 * A session has changed: it may be one of a group, or become one.
 *
 * @param {Session} session
 */
function changed({ id, graphs }) {
  for (const [q, known] of groups) {
    const isMember = known.ids.has(id);
    const hasNews = isMember && graphs?.some(({ title }) => !known.graphs?.some((graph) => graph.title === title));
    checkSoon(q, hasNews ? NEWS_MS : CHECK_MS);
    if (isMember) emit('members', q);
  }
}

/** Some of what a group has may have changed while there were no live events. */
export function catchUp() {
  for (const q of groups.keys()) tellOf(q);
}

/** @param {string} q */
function tellOf(q) {
  checkSoon(q, CHECK_MS);
  emit('members', q);
}
