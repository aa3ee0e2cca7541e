// Which sessions the table holds, in the server's order: asks for pages, takes in what arrives live.
import { getSession, listSessions } from './api.js';
import { emit, page as shown, sessions, state } from './store.js';

const PAGE = 100;
const CHECKED = 20;
const MAX_BEST = 50; // the server takes no more names at once

/** The table's rows: ids in the server's order, and what the server said of the whole filter. */
export const list = {
  ids: [],
  next: null,
  total: 0,
  counts: {},
  /** Of the statistics that are shown, the best values over all sessions of the filter. */
  best: {},
  loaded: false,
  waiting: false,
  error: null,
  refused: false,
  news: new Set(),
  /** The session that was deleted last. */
  gone: null,
};

let asking = null;
let countsTimer = 0;
let bestNames = [];
let bestAsked = '';

const question = () => ({ q: state.q, status: state.status, sort: state.sort });
const newestFirst = () => state.sort === '-created_at';

/** Ask from the start, in the person's order. */
export async function reload() {
  if (bestKey() !== bestAsked) list.best = {};
  asking?.abort();
  asking = new AbortController();
  list.waiting = true;
  emit('waiting');
  try {
    const page = await listSessions(shown.project, { ...question(), limit: PAGE }, asking.signal);
    list.ids = page.sessions.map((session) => session.id);
    list.next = page.next;
    list.news.clear();
    take(page);
    list.error = null;
  } catch (error) {
    if (error.name === 'AbortError') return;
    list.error = error.message;
    list.refused = Boolean(error.status);
    if (list.refused) list.ids = []; // the question was refused: the old rows do not answer it
  }
  list.waiting = false;
  list.loaded = true;
  emit('list');
}

/** The next page, when the person has scrolled near the end. */
export async function more() {
  if (!list.next || list.waiting) return;
  list.waiting = true;
  const signal = (asking = new AbortController()).signal;
  try {
    const page = await listSessions(shown.project, { ...question(), limit: PAGE, cursor: list.next }, signal);
    const known = new Set(list.ids);
    list.ids.push(...page.sessions.map((session) => session.id).filter((id) => !known.has(id)));
    list.next = page.next;
    take(page);
    list.error = null;
  } catch (error) {
    if (error.name === 'AbortError') return;
    list.error = error.message;
    list.next = null;
  }
  list.waiting = false;
  emit('list');
}

/**
 * What changed since the last look, after a broken connection or while there is no stream. No row moves: known
 * sessions are brought up to date, new ones are added as if they had come by the stream.
 */
export async function refresh(signal) {
  const asked = question();
  const page = await listSessions(shown.project, { ...asked, limit: PAGE }, signal);
  if (JSON.stringify(asked) !== JSON.stringify(question())) return; // an answer to what is no longer asked
  const fresh = page.sessions.filter((session) => !list.ids.includes(session.id));
  take(page);
  list.error = null;
  if (!list.ids.length) {
    list.ids = page.sessions.map((session) => session.id);
    list.next = page.next;
  } else if (newestFirst()) {
    const newest = sessions.get(list.ids[0])?.created_at ?? 0;
    list.ids.unshift(...fresh.filter((session) => session.created_at >= newest).map((session) => session.id));
  } else {
    for (const session of fresh) list.news.add(session.id);
  }
  list.loaded = true;
  emit('list');
  await checkMissing(page, signal);
}

// Rows that the answer should have held: deleted meanwhile, or changed so that the filter lets them out. The latter
// stay where they are.
async function checkMissing(page, signal) {
  const held = new Set(page.sessions.map((session) => session.id));
  const within = page.next ? list.ids.slice(0, held.size) : list.ids;
  for (const id of within.filter((one) => !held.has(one)).slice(0, CHECKED)) {
    try {
      absorb(await getSession(id, signal));
    } catch (error) {
      if (error.status !== 404 && error.status !== 410) throw error;
      forget(id);
    }
  }
}

/** A session as the stream tells it: made or changed. */
export function absorb(session) {
  const before = sessions.get(session.id);
  if (before && before.version > session.version) return;
  sessions.set(session.id, session);
  const known = list.ids.includes(session.id);
  if (!before && !known && list.loaded) arrive(session);
  if (!before || before.status !== session.status) countSoon();
  emit('session', session);
}

function arrive(session) {
  const newest = sessions.get(list.ids[0])?.created_at ?? 0;
  if (list.ids.length && session.created_at < newest) return;
  if (newestFirst() && !state.q && (!state.status || state.status === session.status)) {
    list.ids.unshift(session.id);
    list.total += 1;
    emit('arrived', session.id);
  } else {
    list.news.add(session.id);
  }
  emit('list');
}

export function forget(id) {
  list.gone = sessions.get(id) ?? null;
  sessions.delete(id);
  list.news.delete(id);
  const at = list.ids.indexOf(id);
  if (at >= 0) {
    list.ids.splice(at, 1);
    list.total -= 1;
  }
  countSoon();
  emit('deleted', id);
  emit('list');
}

// A session that is as it was stays the same object: nothing that shows it is drawn anew.
function take(page) {
  const fresh = page.sessions.filter((session) => {
    const known = sessions.get(session.id);
    const newer = session.version - (known?.version ?? -1);
    return newer > 0 || (newer === 0 && known.status !== session.status);
  });
  for (const session of fresh) sessions.set(session.id, session);
  list.total = page.total ?? list.ids.length;
  list.counts = page.counts ?? {};
  for (const session of fresh) emit('session', session);
}

const bestKey = () => JSON.stringify([state.q, state.status, bestNames]);

/** The table shows these statistics: have their best values over all sessions of the filter. */
export function needBest(names) {
  bestNames = names.slice(0, MAX_BEST);
  if (bestNames.length && !list.waiting && bestKey() !== bestAsked) countSoon();
}

/** The numbers in the status chips, when statuses change, and the best values; not more often than every second. */
function countSoon() {
  countsTimer ||= setTimeout(async () => {
    countsTimer = 0;
    const { q, status } = state;
    bestAsked = bestKey();
    try {
      const page = await listSessions(shown.project, { q, status, limit: 1, best: bestNames });
      if (q !== state.q || status !== state.status) return;
      list.best = page.best ?? {};
      list.counts = page.counts;
      list.total = page.total;
      emit('list');
    } catch {
      bestAsked = ''; // the next change asks again
    }
  }, 1000);
}
