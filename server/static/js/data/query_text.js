// The text of a query: its tokens, what can stand at the cursor, and how names, values and terms are written. The
// grammar is the server's (server/query/parser.py), which alone decides what a query means.

/**
 * A part of a query.
 *
 * @typedef {object} Token
 * @property {'word' | 'text' | 'open text' | 'value' | 'operator' | 'call' | 'path' | '(' | ')' | 'and' | 'or' | 'not' | '?'} type
 * @property {number} start
 * @property {number} end
 * @property {string} [call] of a call and of its closing parenthesis: 'has', 'min', 'max', 'last' or 'count'
 * @property {number} [from] of a parenthesis that closes a call: where that starts
 */

/**
 * What can stand at the cursor.
 *
 * @typedef {object} Context
 * @property {'field' | 'metric' | 'operator' | 'value'} expects
 * @property {string} prefix what has been typed of it
 * @property {number} from the part of the text that a completion replaces
 * @property {number} to
 * @property {string} call the call around it: 'has', 'min', 'max', 'last', 'count' or ''
 * @property {string} field before the operator or the value; or a name before the cursor that may be a field; or ''
 * @property {number} fieldEnd where that ends
 * @property {string} operator before the value, or ''
 * @property {boolean} joins whether `and` and `or` can stand here
 */

/**
 * @typedef {object} Term
 * @property {'word' | 'term' | 'has'} kind
 * @property {boolean} negated
 * @property {string | null} field
 * @property {string | null} operator
 * @property {string | null} value
 * @property {boolean} quoted
 */

/** @typedef {Term & {start: number, end: number}} PlacedTerm a term and its place in the query */

/** @type {[type: Token['type'], pattern: RegExp][]} */
const OPERANDS = [
  ['call', /(?:has|min|max|last|count)\(/iy],
  ['path', /(?:params|values)\.(?=")/iy],
  ['operator', /[<>!=]=|!~|[<>=~]/y],
  ['text', /"(?:[^"\\]|\\.)*"/sy],
  ['open text', /".*$/sy],
  ['(', /\(/y],
  [')', /\)/y],
  ['and', /and(?![^\s()"])/iy],
  ['or', /or(?![^\s()"])/iy],
  ['not', /not(?![^\s()"])/iy],
  ['word', /(?:[^\s()"=<>!~]|!(?![=~]))+/y],
];
/** @type {[type: Token['type'], pattern: RegExp][]} */
const VALUES = [
  ['text', /"(?:[^"\\]|\\.)*"/sy],
  ['open text', /".*$/sy],
  ['value', /[^\s()"]+/y],
];
const BEFORE_AN_OPERAND = ['(', 'and', 'or', 'not', 'call', 'path', 'operator', undefined];

/**
 * The tokens of a query, also of one that is not complete.
 *
 * @param {string} text
 * @returns {Token[]}
 */
export function tokensOf(text) {
  /** @type {Token[]} */
  const tokens = [];
  /** @type {Token[]} */
  const open = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at])) {
      at += 1;
      continue;
    }
    const token = tokenAt(text, at, tokens.at(-1));
    if (token.type === '(' || token.type === 'call') open.push(token);
    if (token.type === ')') Object.assign(token, closed(open.pop()));
    tokens.push(token);
    at = token.end;
  }
  return tokens;
}

/** @param {Token | undefined} opening */
const closed = (opening) => (opening?.type === 'call' ? { call: opening.call, from: opening.start } : {});

/**
 * @param {string} text
 * @param {number} start
 * @param {Token | undefined} before
 * @returns {Token}
 */
function tokenAt(text, start, before) {
  const isOperand = BEFORE_AN_OPERAND.includes(before?.type);
  for (const [type, pattern] of before?.type === 'operator' ? VALUES : OPERANDS) {
    if ((type === 'and' || type === 'or') && isOperand) continue; // a word: nothing stands before it
    if (type === 'not' && (before?.type === 'call' || before?.type === 'path')) continue;
    pattern.lastIndex = start;
    const found = pattern.exec(text)?.[0];
    if (!found) continue;
    const end = start + found.length;
    return type === 'call' ? { type, start, end, call: found.slice(0, -1).toLowerCase() } : { type, start, end };
  }
  return { type: '?', start, end: start + 1 };
}

const NAMES = ['word', 'text', 'open text', 'value', 'and', 'or', 'not'];

/**
 * What can stand at the cursor.
 *
 * @param {string} text
 * @param {number} cursor
 * @returns {Context}
 */
export function contextAt(text, cursor) {
  const tokens = tokensOf(text);
  const at = tokens.findIndex(({ type, start, end }) => NAMES.includes(type) && start < cursor && cursor <= end);
  const token = at < 0 ? null : tokens[at];
  // the token before what stands, or will stand, at the cursor
  const last = token ? at - 1 : tokens.findLastIndex(({ end }) => end <= cursor);
  const path = tokens[last]?.type === 'path' ? tokens[last] : null;
  const before = tokens[path ? last - 1 : last];
  const from = path?.start ?? token?.start ?? cursor;
  const to = token?.end ?? (path && tokens[last + 1]?.start === cursor ? tokens[last + 1].end : cursor);
  /** @type {Context} */
  const context = {
    expects: 'field',
    prefix: (path ? text.slice(path.start, path.end) : '') + unquoted(text.slice(token?.start ?? cursor, cursor)),
    from,
    to,
    call: '',
    field: '',
    fieldEnd: 0,
    operator: '',
    joins: !BEFORE_AN_OPERAND.includes(before?.type),
  };
  if (before?.type === 'operator') {
    const field = fieldEndingAt(text, tokens, tokens.indexOf(before) - 1);
    return { ...context, ...field, expects: 'value', operator: text.slice(before.start, before.end), joins: false };
  }
  if (before?.type === 'call')
    return { ...context, expects: before.call === 'has' ? 'field' : 'metric', call: before.call ?? '' };
  // a name, complete or not, that an operator can follow
  const name = fieldEndingAt(text, tokens, token ? at : last);
  if (!token && tokens[last]?.type === ')' && name.field && isOutside(tokens, last))
    return { ...context, ...name, expects: 'operator', joins: false };
  const isFollowed = tokens[(token ? at : last) + 1]?.type === 'operator';
  return isFollowed || (token && cursor < token.end) ? context : { ...context, ...name };
}

/**
 * Whether a field is not within `has(...)`.
 *
 * @param {Token[]} tokens
 * @param {number} at of the parenthesis that closes its call
 */
function isOutside(tokens, at) {
  const opening = tokens.findIndex(({ start }) => start === tokens[at].from);
  return tokens[opening - 1]?.call !== 'has' || tokens[opening - 1].type !== 'call';
}

/**
 * The field whose last token this is; '' if it is the end of none.
 *
 * @param {string} text
 * @param {Token[]} tokens
 * @param {number} at
 */
function fieldEndingAt(text, tokens, at) {
  const token = tokens[at];
  const none = { field: '', fieldEnd: 0 };
  if (!token) return none;
  const before = tokens[at - 1];
  if (token.type === ')')
    return token.call && token.call !== 'has'
      ? { field: text.slice(token.from, token.end), fieldEnd: token.end }
      : none;
  if (!['word', 'text'].includes(token.type) || before?.type === 'operator' || before?.type === 'call') return none;
  const start = before?.type === 'path' ? before.start : token.start;
  return { field: text.slice(start, token.end), fieldEnd: token.end };
}

/**
 * A name as a query has it.
 *
 * @param {string} name
 */
export function quoted(name) {
  const isPlain = name && !/[\s()"=<>!~\\]/.test(name) && !['and', 'or', 'not'].includes(name.toLowerCase());
  return isPlain ? name : inQuotes(name);
}

/**
 * A text in quotes, whatever is in it.
 *
 * @param {string} text
 */
export const inQuotes = (text) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/**
 * A value as a query has it.
 *
 * @param {string} value
 * @param {boolean} [isText] whether it is a text, also if it looks like a number
 */
export const valueText = (value, isText = false) =>
  isText || !value || /[\s()"]/.test(value) || /^[=<>!~]/.test(value) ? inQuotes(value) : value;

/**
 * A text without its quotes, of which the second may be missing.
 *
 * @param {string} text
 */
export function unquoted(text) {
  if (!text.startsWith('"')) return text;
  const isClosed = /^"(?:[^"\\]|\\.)*"$/s.test(text);
  return text.slice(1, isClosed ? -1 : undefined).replace(/\\(["\\])/g, '$1');
}

/**
 * A field as a query has it, of what someone has typed in its place.
 *
 * @param {string} text
 */
export function fieldText(text) {
  const typed = text.trim();
  const types = tokensOf(typed)
    .map(({ type }) => type)
    .join(' ');
  return ['word', 'text', 'path text', 'call word )', 'call text )'].includes(types) && !/^has\(/i.test(typed)
    ? typed
    : quoted(typed);
}

/**
 * A query in which a completion has taken its place, and the cursor behind it. What stands there already is not doubled.
 *
 * @param {string} q
 * @param {{text: string, from: number, to: number}} completion
 */
export function completed(q, { text, from, to }) {
  const rest = q.slice(to);
  const [closing = ''] = /\)? ?$/.exec(text) ?? [];
  let known = 0;
  while (known < closing.length && rest[known] === closing[known]) known += 1;
  return { value: q.slice(0, from) + text + rest.slice(known), cursor: from + text.length };
}

/**
 * @param {Term} term
 * @returns {string}
 */
export function termText({ kind, negated, field, operator, value, quoted: isText }) {
  const not = negated ? 'not ' : '';
  if (kind === 'word') return not + quoted(value ?? '');
  if (kind === 'has') return `${not}has(${field})`;
  return `${not}${field}${operator}${valueText(value ?? '', isText)}`;
}

/**
 * A query with one of its terms replaced, or removed if the text is empty.
 *
 * @param {string} q
 * @param {PlacedTerm[]} terms all of the query
 * @param {number} at
 * @param {string} text
 */
export function withTerm(q, terms, at, text) {
  if (text) return q.slice(0, terms[at].start) + text + q.slice(terms[at].end);
  let result = '';
  terms.forEach(({ start, end }, index) => {
    if (index === at) return;
    const between = index > 0 ? q.slice(terms[index - 1].end, start) : '';
    result += (result && (between || ' ')) + q.slice(start, end);
  });
  return result;
}

/**
 * A query with one more term.
 *
 * @param {string} q
 * @param {PlacedTerm[] | null} terms of the query; null if it is no plain list of terms
 * @param {string} text
 */
export function withMore(q, terms, text) {
  const before = q.trim();
  if (!before) return text;
  return terms ? `${before} and ${text}` : `(${before}) and ${text}`;
}
