// What is in a group: its groups of the next level, or its sessions, page by page.
import { listSessions } from './api.js';
import { listGroups } from './group_api.js';
import { merged } from './group_merge.js';
import { joined, labelOf } from './group_query.js';
import { update } from './list_changes.js';
import { currentFilter } from './list_state.js';
import { page, state } from './store.js';

/** @import { Branch, Node } from './group_types.js' */
/** @import { Session } from './session.js' */

const PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000; // of the server, as the next
const MAX_STATISTICS = 30;
const MAX_FIELDS = 50;
const MAX_NAMES_LENGTH = 1800; // of statistics, and of fields: the server takes 8,000 characters in all

/** The columns that are shown: statistics such as 'min(loss)', and fields such as 'params.lr'. */
export const columns = {
  /** @type {string[]} */
  statistics: [],
  /** @type {string[]} */
  fields: [],
};
/** Whether sessions of an answer are being taken in: they are no news. */
export let isTaking = false;

/**
 * @param {string} q
 * @param {number} depth
 * @returns {Branch}
 */
export const newBranch = (q, depth) => ({
  q,
  depth,
  nodes: [],
  ids: [],
  total: 0,
  next: null,
  isLoaded: false,
  isStale: false,
  changes: 0,
  error: '',
  keepsOrder: false,
  asked: 0,
  wanted: PAGE_SIZE,
});

/**
 * Say that what is in a branch, and in those within, may have changed.
 *
 * @param {Branch} branch
 * @param {boolean} keepsOrder whether it is still the same query: answers that are on their way are then taken in
 */
export function markStale(branch, keepsOrder) {
  branch.isStale = true;
  branch.changes += 1;
  if (!keepsOrder) branch.asked += 1;
  branch.keepsOrder &&= keepsOrder;
  for (const node of branch.nodes) if (node.branch) markStale(node.branch, keepsOrder);
}

/** @typedef {Pick<Branch, 'nodes' | 'ids' | 'total' | 'next'>} Items */

/**
 * Load the items of a branch, as many as are wanted.
 *
 * @param {Branch} branch
 */
export async function load(branch) {
  branch.asked += 1;
  const { asked, wanted, changes } = branch;
  const limit = Math.min(wanted, MAX_PAGE_SIZE);
  const levels = state.by.join('\n');
  const isWanted = () => asked === branch.asked && levels === state.by.join('\n');
  const query = queryOf(branch);
  const answer = await read(branch, query, limit, null);
  while (answer.next !== null && answer.nodes.length + answer.ids.length < wanted && isWanted())
    append(answer, await read(branch, query, limit, answer.next));
  if (!isWanted()) return;
  const known = new Map(branch.nodes.map((node) => [node.q, node]));
  for (const node of answer.nodes) {
    const before = known.get(node.q);
    node.branch = before?.branch ?? null;
    if (before?.branch && signature(before) !== signature(node)) markStale(before.branch, true);
  }
  const isKept = branch.isLoaded && branch.keepsOrder;
  const nodes = isKept ? merged(branch.nodes, answer.nodes, ({ q }) => q) : answer.nodes;
  const ids = isKept ? merged(branch.ids, answer.ids, (id) => id) : answer.ids;
  const isStale = changes !== branch.changes; // something has changed since it was asked for
  Object.assign(branch, { ...answer, nodes, ids, isLoaded: true, isStale, error: '', keepsOrder: true });
  place(branch);
}

/**
 * What tells whether something else is in a group than before. Rows of sessions are brought up to date by themselves.
 *
 * @param {Node} node
 */
const signature = ({ group, branch }) =>
  JSON.stringify(branch?.depth === state.by.length ? [group.sessions, group.counts] : group);

/**
 * Load the next items of a branch. Throws what the request throws.
 *
 * @param {Branch} branch
 */
export async function loadNext(branch) {
  const isOfOtherQuery = branch.isStale && !branch.keepsOrder;
  if (branch.next === null || isOfOtherQuery) return;
  branch.asked += 1;
  const { asked, next } = branch;
  branch.next = null; // it is not asked for twice
  branch.wanted = branch.nodes.length + branch.ids.length + PAGE_SIZE; // also if they are loaded again meanwhile
  try {
    const answer = await read(branch, queryOf(branch), PAGE_SIZE, next);
    if (asked !== branch.asked) return;
    append(branch, answer);
    place(branch);
  } catch (error) {
    if (asked !== branch.asked) return;
    branch.next = next;
    throw error;
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
 * What the pages of a branch are asked for with, all of them the same.
 *
 * @param {Branch} branch
 */
function queryOf({ q, depth }) {
  const filter = currentFilter();
  return {
    ...filter,
    q: joined(filter.q, q),
    by: state.by[depth],
    sort: state.by[depth] === undefined ? state.sort : order(),
    stat: bounded(columns.statistics, MAX_STATISTICS),
    show: bounded(columns.fields, MAX_FIELDS),
  };
}

/**
 * @param {Branch} branch
 * @param {ReturnType<typeof queryOf>} query
 * @param {number} limit
 * @param {string | number | null} next
 * @returns {Promise<Items>}
 */
async function read({ q }, { by, stat, show, ...query }, limit, next) {
  if (by === undefined) {
    const answer = await listSessions(page.project, { ...query, limit, counts: '0', cursor: String(next ?? '') });
    take(answer.sessions);
    return { nodes: [], ids: answer.sessions.map(({ id }) => id), total: 0, next: answer.next };
  }
  const offset = Number(next ?? 0);
  const answer = await listGroups(page.project, { ...query, by, limit, offset, stat, show });
  const nodes = answer.groups.map((group) => {
    const whole = q ? `${q} and ${group.q}` : group.q;
    return { q: whole, label: labelOf(whole), field: by, group, place: 0, siblings: answer.total, branch: null };
  });
  return { nodes, ids: [], total: answer.total, next: answer.next };
}

/**
 * The first of some names, as many as an address has room for.
 *
 * @param {string[]} names
 * @param {number} most
 */
function bounded(names, most) {
  let room = MAX_NAMES_LENGTH;
  return names.slice(0, most).filter((name) => {
    room -= encodeURIComponent(name).length + '&stat='.length;
    return room >= 0;
  });
}

/** The order of groups that suits the order of rows: by the mean of a statistic, else as the person has chosen. */
function order() {
  const { sort, order: chosen, by } = state;
  if (/^-?(min|max|last|count)\(/.test(sort)) return sort;
  if (chosen) return chosen;
  const isByValue = sort === '-tag' || by.some((field) => sort === `-params.${field}` || sort === `-${field}`);
  return isByValue ? '-value' : 'value';
}

/** @param {Session[]} sessions */
function take(sessions) {
  isTaking = true;
  for (const session of sessions) update(session);
  isTaking = false;
}
