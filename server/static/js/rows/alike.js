// The query for the sessions that have the same params as one, except for one param.
import { inQuotes } from '../data/query_text.js';

/** @typedef {string | number | boolean | null} Scalar */

const MAX_TERMS = 30;
const MAX_LENGTH = 3_500; // of the query: the server takes 4,000 characters
const WORD = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/;

/**
 * The params that are a number, a text or true or false, by path: 'optimizer.lr' for one within another.
 *
 * @param {Record<string, unknown>} params
 * @param {string} [prefix]
 * @returns {[path: string, value: Scalar][]}
 */
export function scalarParams(params, prefix = '') {
  return Object.entries(params).flatMap(([name, value]) => {
    if (value !== null && typeof value === 'object')
      return Array.isArray(value)
        ? []
        : scalarParams(/** @type {Record<string, unknown>} */ (value), `${prefix}${name}.`);
    return value === null ? [] : [/** @type {[string, Scalar]} */ ([prefix + name, value])];
  });
}

/**
 * @param {[path: string, value: Scalar][]} params
 * @param {string} differing the param that may differ; '' if none may
 * @returns {{q: string, left: number}} the query, and for how many params it has no room
 */
export function alikeQuery(params, differing) {
  const terms = params
    .filter(([path]) => path !== differing)
    .map(([path, value]) => `${quotedPath(path)}=${typeof value === 'string' ? inQuotes(value) : value}`);
  let q = '';
  let count = 0;
  for (const term of terms) {
    const longer = q ? `${q} and ${term}` : term;
    if (count === MAX_TERMS || longer.length > MAX_LENGTH) continue;
    q = longer;
    count += 1;
  }
  return { q, left: terms.length - count };
}

/** @param {string} path */
const quotedPath = (path) => (WORD.test(path) ? `params.${path}` : `params.${inQuotes(path)}`);
