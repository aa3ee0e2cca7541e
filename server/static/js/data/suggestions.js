// What completes a query at the cursor: fields, operators, values and words of the grammar, the likeliest first.
import { compact } from '../ui/format.js';
import { quoted, valueText } from './query_text.js';

/** @import { FieldValue, ProjectField } from './fields.js' */
/** @import { Context } from './query_text.js' */

/**
 * @typedef {object} Suggestion
 * @property {string} label
 * @property {string} detail
 * @property {string} text what takes the place of the text between `from` and `to`
 * @property {number} from
 * @property {number} to
 * @property {boolean} goesOn whether something has to follow
 */

const MAX_SUGGESTIONS = 60;
const SHORT_COMMIT = 10;
const GROUPS = { params: 'param', columns: 'column', values: 'value', statistics: 'metric' };
const ORDER = Object.keys(GROUPS);

/** @type {Record<string, string>} */
const OPERATORS = {
  '=': 'is',
  '!=': 'is not',
  '<': 'less than',
  '<=': 'at most',
  '>': 'more than',
  '>=': 'at least',
  '~': 'matches',
  '!~': 'does not match',
};
const NUMBER = ['=', '!=', '<', '<=', '>', '>='];
const TEXT = ['=', '!=', '~', '!~'];
/** @type {Record<string, string[]>} by the kind of a field */
const OPERATORS_OF = {
  number: NUMBER,
  duration: ['>', '<', '>=', '<='],
  time: ['>', '<', '>=', '<='],
  text: TEXT,
  boolean: ['=', '!='],
  list: TEXT,
};

/** @typedef {[word: string, detail: string]} Word */

/** @type {Word[]} */
const JOINTS = [
  ['and', 'both'],
  ['or', 'either'],
];
/** @type {Word} */
const NOT = ['not', 'the opposite'];
/** @type {Word[]} */
const FUNCTIONS = [
  ['min(', 'the least value of a metric'],
  ['max(', 'the greatest value of a metric'],
  ['last(', 'the last value of a metric'],
  ['count(', 'how many values of a metric'],
  ['has(', 'there is one'],
];

/** @type {Record<string, [value: string, detail: string][]>} */
const EXAMPLES = {
  time: [
    ['1h', 'an hour ago'],
    ['1d', 'a day ago'],
    ['1w', 'a week ago'],
    ['30d', '30 days ago'],
  ],
  duration: [
    ['10m', 'ten minutes'],
    ['1h', 'an hour'],
    ['1h30m', ''],
    ['1d', 'a day'],
  ],
};
const SHARES = ['25%', '50%', '75%', '100%'];

/**
 * The operators that make sense with a field of this kind, and what they are called.
 *
 * @param {string} kind
 * @returns {[operator: string, words: string][]}
 */
export const operatorsOf = (kind) =>
  (OPERATORS_OF[kind] ?? Object.keys(OPERATORS)).map((one) => [one, wordsFor(one, kind)]);

/**
 * @param {string} operator
 * @param {string} kind
 */
function wordsFor(operator, kind) {
  if (kind === 'time' && operator[0] === '>') return operator === '>' ? 'after' : 'at or after';
  if (kind === 'time' && operator[0] === '<') return operator === '<' ? 'before' : 'at or before';
  if (kind === 'list' && operator === '=') return 'one is';
  if (kind === 'list' && operator === '!=') return 'none is';
  return OPERATORS[operator];
}

/**
 * @param {Context} context
 * @param {ProjectField[]} fields of the project
 * @param {FieldValue[]} values of the field, if a value stands at the cursor
 * @returns {Suggestion[]}
 */
export function suggestionsFor(context, fields, values) {
  if (context.expects === 'value') return valueSuggestions(context, fields, values);
  const operators = operatorSuggestions(context, fields);
  if (context.expects === 'operator') return operators;
  if (context.expects === 'metric') return metricSuggestions(context, fields);
  const { prefix, joins } = context;
  return [
    ...operators,
    ...keywords(context, fields, joins ? [...JOINTS, NOT] : prefix ? [NOT] : []),
    ...fieldSuggestions(context, fields),
    ...keywords(context, fields, prefix ? FUNCTIONS : []),
  ].slice(0, MAX_SUGGESTIONS);
}

/**
 * @param {Context} context
 * @param {ProjectField[]} fields
 */
function operatorSuggestions({ field, fieldEnd, to, call }, fields) {
  const known = field && !call ? fields.find((one) => one.field === field) : undefined;
  if (!known) return [];
  return operatorsOf(known.kind).map(([operator, detail]) => ({
    label: field + operator,
    detail,
    text: operator,
    from: fieldEnd,
    to: Math.max(to, fieldEnd),
    goesOn: true,
  }));
}

/**
 * Words of the grammar where they can stand.
 *
 * @param {Context} context
 * @param {ProjectField[]} fields
 * @param {Word[]} words
 * @returns {Suggestion[]}
 */
function keywords({ prefix, from, to, call }, fields, words) {
  const typed = prefix.toLowerCase();
  if (call || fields.some(({ field }) => field === prefix)) return [];
  return words
    .filter(([word]) => word.startsWith(typed) && word !== typed)
    .map(([word, detail]) => ({
      label: word,
      detail,
      text: word.endsWith('(') ? word : `${word} `,
      from,
      to,
      goesOn: true,
    }));
}

/**
 * @param {Context} context
 * @param {ProjectField[]} fields
 * @returns {Suggestion[]}
 */
function fieldSuggestions({ prefix, from, to, call }, fields) {
  return rankedFields(prefix, fields)
    .filter(({ field }) => call || field !== prefix)
    .slice(0, MAX_SUGGESTIONS)
    .map((one) => ({
      label: one.field,
      detail: describe(one),
      text: call ? `${one.field}) ` : one.field,
      from,
      to,
      goesOn: !call,
    }));
}

/**
 * The fields whose name has what was typed in it: those that begin with it first.
 *
 * @param {string} typed
 * @param {ProjectField[]} fields
 */
export function rankedFields(typed, fields) {
  const wanted = typed.toLowerCase();
  return fields
    .map((one, at) => ({ one, rank: rankOf(wanted, one), group: ORDER.indexOf(one.group), at }))
    .filter(({ rank, one }) => rank >= 0 && (one.sessions > 0 || wanted))
    .sort((a, b) => a.rank - b.rank || a.group - b.group || a.at - b.at)
    .map(({ one }) => one);
}

/**
 * How well a field's name matches: less is better, -1 is not at all.
 *
 * @param {string} wanted
 * @param {ProjectField} field
 */
function rankOf(wanted, { field, name }) {
  const [text, short] = [field.toLowerCase(), name.toLowerCase()];
  if (!wanted) return 0;
  if (text === wanted || short === wanted) return 0;
  if (text.startsWith(wanted) || short.startsWith(wanted)) return 1;
  if (new RegExp(`[^a-z0-9]${wanted.replace(/[^a-z0-9]/g, '\\$&')}`).test(text)) return 2;
  return text.includes(wanted) || short.includes(wanted) ? 3 : -1;
}

/** @param {ProjectField} field */
export const describe = ({ group, kind, sessions }) =>
  [
    group === 'columns' ? 'column' : `${kind === 'number' && group === 'statistics' ? '' : `${kind} `}${GROUPS[group]}`,
    compact(sessions),
  ].join(' · ');

/**
 * @param {Context} context
 * @param {ProjectField[]} fields
 * @returns {Suggestion[]}
 */
function metricSuggestions({ prefix, from, to, call }, fields) {
  const own = fields.filter(({ field, group }) => group === 'statistics' && field.startsWith(`${call}(`));
  return rankedFields(
    prefix,
    own.map((one) => ({ ...one, field: quoted(one.name) })),
  )
    .slice(0, MAX_SUGGESTIONS)
    .map(({ name, sessions }) => ({
      label: `${call}(${quoted(name)})`,
      detail: `metric · ${compact(sessions)}`,
      text: `${quoted(name)})`,
      from,
      to,
      goesOn: true,
    }));
}

/**
 * @param {Context} context
 * @param {ProjectField[]} fields
 * @param {FieldValue[]} values
 * @returns {Suggestion[]}
 */
function valueSuggestions({ prefix, from, to, field }, fields, values) {
  const known = fields.find((one) => one.field === field);
  return valueOptions(known, values, prefix).map(({ value, detail }) => ({
    label: value,
    detail,
    text: `${valueText(value)} `,
    from,
    to,
    goesOn: false,
  }));
}

/**
 * The values that a field has, or examples where those are as good as all different.
 *
 * @param {ProjectField | undefined} field
 * @param {FieldValue[]} values
 * @param {string} typed
 */
export function valueOptions(field, values, typed) {
  const wanted = typed.toLowerCase();
  const isShare = field?.group === 'columns' && field.name === 'progress';
  const examples = isShare ? SHARES.map((share) => [share, '']) : (EXAMPLES[field?.kind ?? ''] ?? []);
  return [
    ...examples.map(([value, detail]) => ({ value, detail })),
    ...values.map(({ value, count }) => ({ value: shown(field, value), detail: compact(count) })),
  ]
    .filter(({ value }) => value.toLowerCase().startsWith(wanted) && value !== typed)
    .slice(0, MAX_SUGGESTIONS);
}

/**
 * @param {ProjectField | undefined} field
 * @param {FieldValue['value']} value
 */
const shown = (field, value) =>
  field?.group === 'columns' && field.name === 'commit' ? String(value).slice(0, SHORT_COMMIT) : String(value);
