// The groups of the table, level by level: loaded from the server when they are folded open, and brought up to date while
// sessions run, arrive, change or go.
import { showToast } from '../ui/toast.js';
import { isPassing, listGroups, listSessions, messageOf } from './api.js';
import { merged } from './group_merge.js';
import { joined, labelOf } from './group_query.js';
import { groupBy, isOpen } from './grouping.js';
import { update } from './list_changes.js';
import { currentFilter, currentQuery, list } from './list_state.js';
import { Retry } from './retry.js';
import { on, page, state } from './store.js';
import { setRows } from './table_rows.js';

/** @import { Branch } from './group_types.js' */
/** @import { Session } from './session.js' */
/** @import { Row } from './table_rows.js' */

const PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000; // of the server
const REFRESH_MS = 1500;
const SHARE_OF_TIME = 4; // a refresh that takes long is made less often

/** @type {string[]} statistics of shown columns */
let statistics = [];
/** @type {string[]} fields of shown columns */
let fields = [];
let root = newBranch('', 0);
/** What the rows are of. */
let key = '';
let timer = 0;
let took = 0;
let isTaking = false;
const retry = new Retry();

/**
 * @param {string} q
 * @param {number} depth
 * @returns {Branch}
 */
function newBranch(q, depth) {
  return {
    q,
    depth,
    nodes: [],
    ids: [],
    total: 0,
    next: null,
    isLoaded: false,
    isStale: false,
    asked: 0,
    wanted: PAGE_SIZE,
  };
}

export function start() {
  on('query', () => refresh(false));
  on('grouping', () => (state.by.join('\n') === key ? openNew() : refresh(false)));
  for (const name of /** @type {const} */ (['list', 'session', 'deleted'])) on(name, () => isTaking || refreshSoon());
  on('edited', () => refreshSoon(true));
  document.addEventListener('visibilitychange', () => document.hidden || refreshSoon());
}

/** The groups of the first level. */
export const rootOf = () => root;

/**
 * Say which columns are shown.
 *
 * @param {string[]} shownStatistics names such as 'min(loss)'
 * @param {string[]} shownFields such as 'params.lr'
 */
export function setColumns(shownStatistics, shownFields) {
  const isNew = [...shownStatistics, ...shownFields].some(
    (name) => !statistics.includes(name) && !fields.includes(name),
  );
  [statistics, fields] = [shownStatistics, shownFields];
  if (isNew && root.isLoaded) refresh(true);
}

/** @param {boolean} [isForced] whether sessions may have changed that their groups do not show */
function refreshSoon(isForced = false) {
  if (!state.by.length || retry.isWaiting) return;
  if (isForced) markStale(root);
  timer ||= setTimeout(() => refresh(true), Math.max(REFRESH_MS, SHARE_OF_TIME * took));
}

/** @param {Branch} branch */
function markStale(branch) {
  branch.isStale = true;
  for (const node of branch.nodes) if (node.branch) markStale(node.branch);
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
  if (!state.by.length) {
    key = '';
    root = newBranch('', 0);
    return setRows(null);
  }
  if (isLive && document.hidden) return;
  if (state.by.join('\n') !== key) {
    key = state.by.join('\n');
    root = newBranch('', 0);
    show();
  }
  if (!isLive) markStale(root);
  const started = performance.now();
  try {
    await load(root, isLive);
    await loadOpen(root, isLive);
    retry.reset();
  } catch (failure) {
    if (isPassing(failure)) retry.later(() => refresh(isLive));
    else if (list.loading)
      return; // the search field's query may have a mistake; once that is known, the list tells
    else if (list.mistake) refreshSoon(true);
    else giveUp(failure);
  }
  took = performance.now() - started;
}

/** @param {unknown} failure */
function giveUp(failure) {
  showToast(`The table cannot be grouped: ${messageOf(failure)}`);
  groupBy([]);
}

/** Show what has been folded, and load what has been opened. */
async function openNew() {
  show();
  await loadOpen(root, true).catch(() => refreshSoon(true));
}

/**
 * Load what is in groups that are open, where that is not known or may have changed.
 *
 * @param {Branch} branch
 * @param {boolean} isLive
 * @returns {Promise<void>}
 */
async function loadOpen(branch, isLive) {
  for (const node of branch.nodes) {
    if (!isOpen(node.q)) continue;
    node.branch ??= newBranch(node.q, branch.depth + 1);
    const inner = node.branch;
    if (!inner.isLoaded || inner.isStale) await load(inner, isLive);
    await loadOpen(inner, isLive);
  }
}

/**
 * Load the first items of a branch.
 *
 * @param {Branch} branch
 * @param {boolean} isLive
 */
async function load(branch, isLive) {
  branch.asked += 1;
  const { asked } = branch;
  const { wanted } = branch;
  const limit = Math.min(wanted, MAX_PAGE_SIZE);
  const isAllowed = () => asked === branch.asked && key === state.by.join('\n');
  const answer = await read(branch, limit, null);
  while (answer.next !== null && answer.nodes.length + answer.ids.length < wanted && isAllowed())
    append(answer, await read(branch, limit, answer.next));
  if (!isAllowed()) return;
  const known = new Map(branch.nodes.map((node) => [node.q, node]));
  for (const node of answer.nodes) {
    const before = known.get(node.q);
    node.branch = before?.branch ?? null;
    if (node.branch && JSON.stringify(before?.group) !== JSON.stringify(node.group)) node.branch.isStale = true;
  }
  const isKept = isLive && branch.isLoaded;
  const nodes = isKept ? merged(branch.nodes, answer.nodes, ({ q }) => q) : answer.nodes;
  const ids = isKept ? merged(branch.ids, answer.ids, (id) => id) : answer.ids;
  Object.assign(branch, { ...answer, nodes, ids, isLoaded: true, isStale: false });
  place(branch);
  show();
}

/** @typedef {Pick<Branch, 'nodes' | 'ids' | 'total' | 'next'>} Items */

/**
 * Load the next items of a branch.
 *
 * @param {Branch} branch
 */
export async function loadMore(branch) {
  if (branch.next === null) return;
  branch.asked += 1;
  const { asked, next } = branch;
  branch.next = null; // it is not asked for twice
  branch.wanted = branch.nodes.length + branch.ids.length + PAGE_SIZE; // also if they are loaded again meanwhile
  try {
    const answer = await read(branch, PAGE_SIZE, next);
    if (asked !== branch.asked) return;
    append(branch, answer);
    place(branch);
    show();
  } catch {
    branch.next = next;
    refreshSoon(true);
  }
}

/** @param {Branch} branch */
function place({ nodes, total }) {
  nodes.forEach((node, at) => {
    Object.assign(node, { place: at, siblings: Math.max(total, nodes.length) });
  });
}

/**
 * @param {Items} items
 * @param {Items} more
 */
function append(items, more) {
  const known = new Set([...items.ids, ...items.nodes.map(({ q }) => q)]);
  items.nodes.push(...more.nodes.filter(({ q }) => !known.has(q)));
  items.ids.push(...more.ids.filter((id) => !known.has(id)));
  items.next = more.next;
}

/**
 * @param {Branch} branch
 * @param {number} limit
 * @param {string | number | null} next
 * @returns {Promise<Items>}
 */
async function read({ q, depth }, limit, next) {
  const field = state.by[depth];
  if (field === undefined) {
    const asked = {
      ...currentQuery(),
      q: joined(currentFilter().q, q),
      limit,
      counts: '0',
      cursor: String(next ?? ''),
    };
    const answer = await listSessions(page.project, asked);
    take(answer.sessions);
    return { nodes: [], ids: answer.sessions.map(({ id }) => id), total: 0, next: answer.next };
  }
  const asked = { ...currentFilter(), q: joined(currentFilter().q, q), by: field, sort: sortOfGroups(), limit };
  const offset = Number(next ?? 0);
  const answer = await listGroups(page.project, { ...asked, offset, stat: statistics, show: fields });
  const nodes = answer.groups.map((group, at) => {
    const whole = q ? `${q} and ${group.q}` : group.q;
    return { q: whole, label: labelOf(whole), field, group, place: offset + at, siblings: answer.total, branch: null };
  });
  return { nodes, ids: [], total: answer.total, next: answer.next };
}

/** The order of groups that suits the order of rows: by the mean of a statistic, else as the person has chosen. */
function sortOfGroups() {
  const { sort, order } = state;
  if (/^-?(min|max|last|count)\(/.test(sort)) return sort;
  if (order) return order;
  return sort === '-tag' || state.by.some((field) => sort === `-params.${field}` || sort === `-${field}`)
    ? '-value'
    : 'value';
}

/** @param {Session[]} sessions */
function take(sessions) {
  isTaking = true; // it is no news to the groups
  for (const session of sessions) update(session);
  isTaking = false;
}

function show() {
  setRows(rowsOf(root));
}

/**
 * @param {Branch} branch
 * @returns {Row[]}
 */
function rowsOf(branch) {
  const { q, depth, nodes, ids, next, isLoaded } = branch;
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

/**
 * The ids of the loaded sessions in a group.
 *
 * @param {Branch | null} branch
 * @returns {Set<string>}
 */
export const idsIn = (branch) =>
  new Set(branch ? [...branch.ids, ...branch.nodes.flatMap((node) => [...idsIn(node.branch)])] : []);
