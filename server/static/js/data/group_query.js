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
    if (type === 'and') label += ' · ';
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
