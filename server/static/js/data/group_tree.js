// The groups of the table: loaded when they are folded open, and brought up to date while sessions run, arrive, change or
// go.
import { showToast } from '../ui/toast.js';
import { columns, isTaking, load, loadNext, markStale, newBranch } from './group_branch.js';
import { groupBy, isOpen } from './grouping.js';
import { isPassing, messageOf } from './http.js';
import { list } from './list_state.js';
import { Retry } from './retry.js';
import { endAllMatching, on, state } from './store.js';
import { setRows } from './table_rows.js';

/** @import { Within } from './address.js' */
/** @import { Branch, Node } from './group_types.js' */
/** @import { Row } from './table_rows.js' */

const REFRESH_MS = 1500;
const MAX_REFRESH_MS = 5000;
const SHARE_OF_TIME = 4; // a refresh that takes long is made less often

let root = newBranch('', 0);
/** What the groups are of: the levels, and how they are ordered. */
let shown = { by: '', order: '' };
let timer = 0;
/** The number of the latest refresh: those before it end without a word. */
let latest = 0;
let took = 0;
/** Whether the list loads the rows of another query, which is no news to the groups. */
let isQueried = false;
/** Whether the groups wait for the list to tell which query the server understands. */
let isAwaiting = false;
const retry = new Retry();

export function start() {
  on('query', () => {
    isQueried = true;
    refresh(false);
  });
  on('grouping', () => {
    const isSame = shown.by === state.by.join('\n') && shown.order === state.order;
    if (isSame) openNew();
    else refresh(false);
  });
  on('list', () => {
    if (isAwaiting) refresh(false);
    else if (!isQueried) refreshSoon();
    isQueried = isAwaiting = false;
  });
  on('session', () => isTaking || refreshSoon());
  on('started', () => refreshSoon(true));
  on('deleted', (id) => {
    forget(root, id);
    refreshSoon();
  });
  on('edited', () => refreshSoon(true));
  document.addEventListener('visibilitychange', () => document.hidden || refreshSoon());
}

/** The groups of the first level. */
export const rootOf = () => root;

/**
 * Say which columns are shown.
 *
 * @param {string[]} statistics names such as 'min(loss)'
 * @param {string[]} fields such as 'params.lr'
 */
export function setColumns(statistics, fields) {
  const known = [...columns.statistics, ...columns.fields];
  const isNew = [...statistics, ...fields].some((name) => !known.includes(name));
  Object.assign(columns, { statistics, fields });
  if (isNew && root.asked) refresh(true);
}

/** @param {boolean} [isForced] whether sessions may have changed that their groups do not show */
function refreshSoon(isForced = false) {
  if (!state.by.length || retry.isWaiting) return;
  if (isForced) markStale(root, true);
  const pause = Math.min(MAX_REFRESH_MS, Math.max(REFRESH_MS, SHARE_OF_TIME * took));
  timer ||= setTimeout(() => refresh(true), pause);
}

/**
 * A session is gone.
 *
 * @param {Branch} branch
 * @param {string} id
 */
function forget(branch, id) {
  const before = branch.ids.length;
  branch.ids = branch.ids.filter((other) => other !== id);
  if (branch.ids.length < before) show();
  for (const node of branch.nodes) if (node.branch) forget(node.branch, id);
}

/**
 * Load everything that is shown again.
 *
 * @param {boolean} isLive whether this follows changes of sessions: what is shown then keeps its order
 */
export async function refresh(isLive) {
  clearTimeout(timer);
  timer = 0;
  retry.cancel();
  const by = state.by.join('\n');
  if (isLive && document.hidden) return;
  if (by !== shown.by) {
    root = newBranch('', 0);
    if (state.within) endAllMatching();
  }
  shown = { by, order: state.order };
  if (!by) {
    latest += 1;
    return setRows(null);
  }
  if (!root.isLoaded) show();
  if (!isLive) markStale(root, false);
  const started = performance.now();
  latest += 1;
  const number = latest;
  try {
    await load(root);
    if (number !== latest) return;
    show();
    await loadOpen(root);
    if (number !== latest) return;
    followChosen();
    retry.reset();
  } catch (failure) {
    if (number !== latest) return;
    failed(failure, isLive);
  }
  took = performance.now() - started;
}

/**
 * @param {unknown} failure
 * @param {boolean} isLive
 */
function failed(failure, isLive) {
  if (isPassing(failure)) retry.later(() => refresh(isLive));
  else if (list.loading)
    isAwaiting = true; // the query may have a mistake
  else if (list.mistake) refreshSoon(true);
  else {
    showToast(`The table cannot be grouped: ${messageOf(failure)}`);
    groupBy([]);
  }
}

/** Show what has been folded, and load what has been opened. */
async function openNew() {
  show();
  await loadOpen(root).catch(() => refreshSoon(true));
}

/**
 * Load what is in groups that are open, where that is not known or may have changed.
 *
 * @param {Branch} branch
 * @returns {Promise<void>}
 */
async function loadOpen(branch) {
  for (const node of branch.nodes) {
    const isAroundChosen = state.allMatching && state.within?.q.startsWith(`${node.q} and `);
    if (!isOpen(node.q) && !(isAroundChosen && node.branch)) continue;
    node.branch ??= newBranch(node.q, branch.depth + 1);
    const { isLoaded, isStale, error } = node.branch;
    if (isStale || (!isLoaded && !error)) {
      await load(node.branch).catch((failure) => refused(node.branch, failure));
      show();
    }
    await loadOpen(node.branch);
  }
}

/**
 * The server does not give what is in a group: its row says so, the others stay. Throws what may pass, or may be said of
 * the whole query.
 *
 * @param {Branch | null} branch
 * @param {unknown} failure
 */
function refused(branch, failure) {
  if (!branch || isPassing(failure) || list.loading || list.mistake) throw failure;
  Object.assign(branch, { error: messageOf(failure), isStale: false, nodes: [], ids: [], next: null, isLoaded: false });
}

/**
 * Load the next items of a branch, or try again to load it.
 *
 * @param {Branch} branch
 */
export async function loadMore(branch) {
  if (branch.error) {
    branch.error = '';
    return openNew();
  }
  try {
    await loadNext(branch);
    show();
  } catch {
    refreshSoon(true);
  }
}

function show() {
  found = null;
  if (state.by.length) setRows(rowsOf(root));
}

/**
 * @param {Branch} branch
 * @returns {Row[]}
 */
function rowsOf(branch) {
  const { q, depth, nodes, ids, next, isLoaded, error } = branch;
  if (error) return [{ kind: 'error', key: `error ${q}`, depth, id: '', branch }];
  if (!isLoaded) return depth ? [{ kind: 'wait', key: `wait ${q}`, depth, id: '' }] : [];
  /** @type {Row[]} */
  const rows = nodes.flatMap((node) => [
    { kind: 'group', key: `group ${node.q}`, depth, id: '', node },
    ...(isOpen(node.q) ? rowsOf(node.branch ?? newBranch(node.q, depth + 1)) : []),
  ]);
  for (const id of ids) rows.push({ kind: 'session', key: `${id} ${q}`, depth, id });
  if (next !== null && depth) rows.push({ kind: 'more', key: `more ${q}`, depth, id: '', branch });
  return rows;
}

/** @type {{q: string, ids: Set<string>} | null} what `idsIn` has found, until rows change */
let found = null;

/**
 * A group whose sessions are all to be chosen. What it tells is true of the group as it is then.
 *
 * @param {Node} node
 * @returns {Within}
 */
export const groupWithin = ({ q, group }) => ({
  q,
  get count() {
    return nodeOf(q)?.group.sessions ?? group.sessions;
  },
  ids: () => idsIn(q),
});

/** @param {string} q */
const nodeOf = (q) =>
  branches(root)
    .flatMap(({ nodes }) => nodes)
    .find((node) => node.q === q);

/** A group whose sessions are chosen may be gone. */
function followChosen() {
  if (state.allMatching && state.within && !nodeOf(state.within.q)) endAllMatching();
}

/**
 * The sessions of a group that are loaded.
 *
 * @param {string} q
 */
function idsIn(q) {
  if (found?.q !== q)
    found = { q, ids: new Set(branches(root).flatMap((branch) => (isWithin(branch.q, q) ? branch.ids : []))) };
  return found.ids;
}

/**
 * @param {string} inner
 * @param {string} q
 */
const isWithin = (inner, q) => inner === q || inner.startsWith(`${q} and `);

/**
 * @param {Branch} branch
 * @returns {Branch[]} it, and those within
 */
const branches = (branch) => [branch, ...branch.nodes.flatMap((node) => (node.branch ? branches(node.branch) : []))];
