// The table's columns: the fixed ones, and those of params, values and statistics. Columns that the user has chosen are
// there whether a loaded row has something in them or not.

import { differing, follow } from '../data/differing.js';
import { preference, savePreference } from '../data/preferences.js';
import { list } from '../data/session_list.js';
import { on, page, sessions, setColumns, state } from '../data/store.js';
import { anything, number } from '../ui/format.js';
import { readPref } from '../ui/prefs.js';
import { textCell } from './cells.js';
import { FIXED } from './fixed_columns.js';
import { arranged, EMPTY, widened } from './layout.js';

/** @import { Graph, Session } from '../data/session.js' */
/** @import { Column } from './fixed_columns.js' */
/** @import { Layout } from '../data/column_address.js' */

/** @typedef {'statistics' | 'params' | 'values'} Group */

const MAX_STATISTICS = 6; // that are shown by default
const MIN_WIDTH = 88;
const MAX_WIDTH = 280;
const STATISTIC = /^(min|max|last|count)\((.+)\)$/s;

/** @type {Record<Group, Column[]>} */
const found = { statistics: [], params: [], values: [] };
/** @type {Set<Column>} fixed ones that a session has something for */
const needed = new Set();
/** @type {WeakSet<Session>} */
const searched = new WeakSet();
let isFollowing = false; // what differs between the sessions

export function start() {
  // before the server kept it, a browser had what is shown
  const shown = readPref(`columns.${page.project}`, EMPTY.shown);
  const kept = { ...EMPTY, ...preference('columns', { shown }) };
  on('columns', addChosen);
  // an address may show somebody else's: they are kept once one is changed
  setColumns(state.columns ?? kept, true);
}

function addChosen() {
  const { shown, differing: isWanted } = currentLayout();
  for (const [key, isChosen] of Object.entries(shown)) if (isChosen) addByKey(key);
  if (isWanted !== isFollowing) follow(isWanted);
  isFollowing = isWanted;
}

export const currentLayout = () => state.columns ?? EMPTY;

/**
 * Lay the table out in another way. Kept for the next visit, in any browser.
 *
 * @param {Layout} changed
 */
export function setLayout(changed) {
  savePreference('columns', changed);
  setColumns(changed);
}

/**
 * Add the column of a statistic, a param or a value.
 *
 * @param {string} key such as 'last(loss)', 'params.lr' or 'values.best'
 */
function addByKey(key) {
  const [, field, metric] = STATISTIC.exec(key) ?? [];
  if (metric) return add('statistics', statistic(metric, field, true));
  const dot = key.indexOf('.');
  const group = key.slice(0, dot);
  if (group === 'params' || group === 'values') add(group, fieldColumn(group, key.slice(dot + 1)));
}

/**
 * The name under which a session's statistics hold a metric of a graph.
 *
 * @param {Session} session
 * @param {Graph} graph
 * @param {string} name
 */
function statisticName(session, graph, name) {
  const long = `${graph.title}/${name}`;
  return long in (session.stats ?? {}) ? long : name;
}

/**
 * Search new and changed sessions for columns that are shown by default.
 *
 * @returns {boolean} whether there are new columns
 */
export function discover() {
  const before = shownColumns().length;
  for (const id of list.ids) {
    const session = sessions.get(id);
    if (!session || searched.has(session)) continue;
    searched.add(session);
    for (const column of FIXED) if (column.needed?.(session)) needed.add(column);
    for (const graph of session.graphs ?? [])
      for (const name of graph.kind ? graph.names : [])
        add('statistics', statistic(statisticName(session, graph, name), graph.kind ?? '', isFraction(graph, name)));
    for (const name of Object.keys(session.values ?? {})) add('values', fieldColumn('values', name));
  }
  return shownColumns().length !== before;
}

/**
 * Add a column after those that are known, so that none moves.
 *
 * @param {Group} group
 * @param {Column} column
 */
function add(group, column) {
  const at = found[group].findIndex(({ key }) => key === column.key);
  if (at < 0) found[group].push(column);
  else if (found[group][at].off && !column.off) found[group][at] = column; // it was only there because it was chosen
}

/**
 * Room for a label in bold and the arrow of the sorted column.
 *
 * @param {string} label
 */
const widthFor = (label) => Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, 40 + 7.1 * label.length));

/**
 * Whether this may be what the client stores of steps that are not whole numbers, beside the metrics.
 *
 * @param {Graph} graph
 * @param {string} name
 */
const isFraction = ({ names }, name) => name === 'x' && names.length > 1;

/**
 * @param {string} metric
 * @param {string} field 'min', 'max', 'last' or 'count'
 * @param {boolean} off
 * @returns {Column}
 */
function statistic(metric, field, off) {
  const key = `${field}(${metric})`;
  /** @param {Session} session */
  const value = (session) => session.stats?.[metric]?.[/** @type {'min' | 'max' | 'last' | 'count'} */ (field)];
  const kind = field === 'min' || field === 'max' ? field : undefined;
  return {
    key,
    label: key,
    sort: key,
    down: field !== 'min',
    right: true,
    width: widthFor(key),
    kind,
    off,
    group: 'statistics',
    value: kind && value,
    ...textCell((session) => number(value(session))),
  };
}

/**
 * A column of a param or a value. A name with dots may also be one in objects in objects.
 *
 * @param {'params' | 'values'} group
 * @param {string} name
 * @returns {Column}
 */
function fieldColumn(group, name) {
  return {
    key: `${group}.${name}`,
    label: name,
    sort: `${group}.${name}`,
    right: true,
    width: widthFor(name),
    off: group === 'params',
    group,
    ...textCell((session) => {
      const value = entryAt(session[group] ?? {}, name);
      return typeof value === 'number' && group === 'values' ? number(value) : anything(value);
    }),
  };
}

/**
 * What a session has under a name, at the top or in objects in objects.
 *
 * @param {Record<string, unknown>} entries
 * @param {string} name
 */
export function entryAt(entries, name) {
  if (Object.hasOwn(entries, name)) return entries[name];
  /** @type {any} */
  let value = entries;
  for (const part of name.split('.')) value = isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined;
  return value;
}

/** @param {unknown} value */
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

const all = () => [...FIXED, ...found.statistics, ...found.params, ...found.values];

export function shownColumns() {
  const layout = currentLayout();
  const differ = layout.differing ? differingKeys() : null;
  const usual = new Set(found.statistics.filter(({ off }) => !off).slice(0, MAX_STATISTICS));
  const shown = all().filter((column) => {
    if (column.fixed) return true;
    if (differ && column.group === 'params') return differ.has(column.key);
    if (column.key in layout.shown) return layout.shown[column.key];
    if (column.needed && !needed.has(column)) return false;
    return column.group === 'statistics' ? usual.has(column) : !column.off;
  });
  return arranged(state.by.length ? shown.map((column) => widened(column, layout)) : shown, layout);
}

/** The columns of the params that differ between the sessions, by key. */
function differingKeys() {
  const keys = (differing()?.params ?? []).map((name) => `params.${name}`);
  keys.forEach(addByKey);
  return new Set(keys);
}

/**
 * Show the params that differ between the sessions of the table and no others, or those that are chosen. Kept for the next
 * visit.
 *
 * @param {boolean} isWanted
 */
export const showDiffering = (isWanted) => setLayout({ ...currentLayout(), differing: isWanted });

/** The keys of the columns that are shown. */
export const shownKeys = () => new Set(shownColumns().map(({ key }) => key));

/**
 * Show a column, or hide it. Kept for the next visit.
 *
 * @param {string} key
 * @param {boolean} isChosen
 */
export function choose(key, isChosen) {
  const layout = currentLayout();
  if (isChosen) addByKey(key);
  setLayout({ ...layout, shown: { ...layout.shown, [key]: isChosen } });
}
