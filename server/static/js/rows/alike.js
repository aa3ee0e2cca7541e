// The query for the sessions that have the same params as one, except for one param.

/** @typedef {string | number | boolean | null} Scalar */

const MAX_TERMS = 30;
const MAX_LENGTH = 200; // of a text that is asked for: a query has 4,000 characters at most
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
 */
export const alikeQuery = (params, differing) =>
  params
    .filter(([path, value]) => path !== differing && String(value).length <= MAX_LENGTH)
    .slice(0, MAX_TERMS)
    .map(([path, value]) => `${quotedPath(path)}=${typeof value === 'string' ? quoted(value) : value}`)
    .join(' and ');

/** @param {string} path */
const quotedPath = (path) => (WORD.test(path) ? `params.${path}` : `params.${quoted(path)}`);

/** @param {string} text */
const quoted = (text) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
