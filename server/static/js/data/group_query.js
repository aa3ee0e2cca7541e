// Queries of groups: joined with that of the search field, and as people read them.
import { tokensOf, unquoted } from './query_text.js';

/**
 * A query for what matches two queries. That of the search field stays a plain list of terms where it is one.
 *
 * @param {string} q
 * @param {string} other a group's, which has no `or`
 */
export function joined(q, other) {
  if (!q.trim() || !other) return q.trim() || other;
  return tokensOf(q).some(({ type }) => type === 'or') ? `(${q}) and ${other}` : `${q} and ${other}`;
}

/** @import { Group } from './address.js' */

/** @typedef {{q: string, status: string}} Part which sessions the table has: the query of the search field, and a status */

const MAX_PART = 24; // characters of it in a label

/**
 * The query for those sessions of a group that the table has.
 *
 * @param {Part} part
 * @param {string} group the group's own query
 */
export const queryWithin = ({ q, status }, group) => joined(q, status ? `status=${status} and ${group}` : group);

/**
 * What a group in the graphs is called: by its own query, followed by what the table is filtered by.
 *
 * @param {Part} part
 * @param {string} whole the query for its sessions
 */
export function labelWithin(part, whole) {
  const before = queryWithin(part, '?').slice(0, -1);
  if (!before || !whole.startsWith(before)) return labelOf(whole);
  const text = [part.q.trim(), part.status].filter(Boolean).join(', ');
  return `${labelOf(whole.slice(before.length))} (${text.length > MAX_PART ? `${text.slice(0, MAX_PART)}…` : text})`;
}

/**
 * What an address shows, with the names of its groups.
 *
 * @template {Part & {groups: Group[]}} T
 * @param {T} shown
 * @returns {T}
 */
export const labelled = (shown) => ({
  ...shown,
  groups: shown.groups.map(({ q }) => ({ q, label: labelWithin(shown, q) })),
});

const BEGINNINGS = ['word', 'text', 'call', 'path', 'not', '('];
const BEFORE_MORE = ['and', 'or', 'not', 'operator', 'call', 'path', '(', undefined];

/**
 * A group's query as people read it: 'lr = 0.01 · optimizer.name = adam · no seed'.
 *
 * @param {string} q
 */
export function labelOf(q) {
  const tokens = tokensOf(q);
  let label = '';
  tokens.forEach(({ type, start, end, call }, at) => {
    const text = q.slice(start, end);
    const before = tokens[at - 1]?.type;
    if (BEGINNINGS.includes(type) && !BEFORE_MORE.includes(before)) label += ' · ';
    if (type === 'and') label += ' · ';
    else if (type === 'or') label += ' or ';
    else if (type === 'not') label += 'no ';
    else if (type === 'operator') label += ` ${text === '~' ? '=' : text} `;
    else if (before === 'operator')
      label += tokens[at - 1] && q.startsWith('~', tokens[at - 1].start) ? beginning(text) : unquoted(text);
    else if (call === 'has' || type === 'path') return;
    else label += unquoted(text);
  });
  return label;
}

/**
 * What a long text begins with, from the pattern that finds it.
 *
 * @param {string} text in quotes
 */
function beginning(text) {
  const pattern = unquoted(text);
  const plain = pattern.replace(/^\^|\(\.\|\\s\)$|\$$/g, '').replace(/\\(.)/g, '$1');
  return pattern.endsWith('$') ? plain : `${plain}…`;
}
