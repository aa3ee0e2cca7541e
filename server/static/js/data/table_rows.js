// The rows of the table: one for each session, or those of its groups.
import { list } from './list_state.js';
import { emit } from './store.js';

/** @import { Branch, Node } from './group_types.js' */

/**
 * @typedef {object} Row
 * @property {'session' | 'group' | 'more' | 'wait' | 'error'} kind a group; what loads more of its rows; rows that are being
 *   loaded, or cannot be
 * @property {string} key
 * @property {number} depth how many groups are around it
 * @property {string} id of the session; '' in other rows
 * @property {Node} [node] the group
 * @property {Branch} [branch] what there is more of, or what cannot be loaded
 */

/** @type {Row[] | null} null if the table is not grouped */
let rows = null;
/** @type {Map<string, number>} */
let places = new Map();

export const isGrouped = () => rows !== null;

export const rowCount = () => rows?.length ?? list.ids.length;

/**
 * @param {number} index
 * @returns {Row | undefined}
 */
export function rowAt(index) {
  if (rows) return rows[index];
  const id = list.ids[index];
  return id === undefined ? undefined : { kind: 'session', key: id, id, depth: 0 };
}

/**
 * @param {string | null} key
 * @returns {number} -1 if there is no such row
 */
export function indexOfRow(key) {
  if (key === null) return -1;
  return rows ? (places.get(key) ?? -1) : list.ids.indexOf(key);
}

/**
 * The sessions of the rows from one to another, both included.
 *
 * @param {string} from
 * @param {string} to
 */
export function sessionsBetween(from, to) {
  const [first, last] = [indexOfRow(from), indexOfRow(to)].sort((a, b) => a - b);
  if (!rows) return list.ids.slice(Math.max(0, first), last + 1);
  return rows
    .slice(Math.max(0, first), last + 1)
    .filter(({ kind }) => kind === 'session')
    .map(({ id }) => id);
}

/** @param {Row[] | null} wanted */
export function setRows(wanted) {
  rows = wanted;
  places = new Map(wanted?.map(({ key }, at) => [key, at]));
  emit('rows');
}
