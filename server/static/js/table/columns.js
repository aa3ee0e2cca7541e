// The table's columns: what each shows, how the server sorts by it, which of them the user has chosen.
import { list } from '../data/session_list.js';
import { emit, now, page, sessions } from '../data/store.js';
import { find, make } from '../ui/dom.js';
import { anything, duration, exactTime, number, relativeTime, whole } from '../ui/format.js';
import { readPref, writePref } from '../ui/prefs.js';
import { pickCell, progressCell, statusCell, tagCell, tagsCell, textCell } from './cells.js';

/** @import { Graph, Session, Value } from '../data/session.js' */
/** @import { Cell } from './cells.js' */

/**
 * @typedef {object} Column
 * @property {string} key
 * @property {string} label
 * @property {number} width pixels
 * @property {Cell} cell
 * @property {string} [sort] the server's name for its order
 * @property {boolean} [down] whether it is first sorted in descending order
 * @property {boolean} [right] whether it is aligned right
 * @property {boolean} [dim]
 * @property {boolean} [ticks] whether it changes as time passes
 * @property {boolean} [fixed] whether it is always shown
 * @property {boolean} [off] whether it is not shown by default
 * @property {(session: Session) => boolean} [needed] it is shown by default once this is true of a session
 * @property {'statistics' | 'params' | 'values'} [group]
 * @property {'min' | 'max'} [kind] of a statistic: which value is the best
 * @property {(session: Session) => Value | undefined} [value] of a statistic
 */

const MAX_STATISTICS = 6; // that are shown by default
const MIN_WIDTH = 88;
const MAX_WIDTH = 280;

/** @param {Session} session */
const endOf = (session) => session.ended_at ?? session.heard_at ?? session.updated_at;

/** @param {Session} session */
const elapsedOf = (session) => (session.status === 'active' ? now() : endOf(session)) - session.created_at;

/** @type {Column[]} */
const FIXED = [
  { key: 'pick', label: '', width: 38, cell: pickCell, fixed: true },
  { key: 'tag', label: 'Tag', sort: 'tag', width: 216, cell: tagCell, fixed: true },
  { key: 'status', label: 'Status', sort: 'status', width: 250, cell: statusCell, fixed: true },
  { key: 'progress', label: 'Progress', sort: 'progress', down: true, width: 124, cell: progressCell },
  {
    key: 'iter',
    label: 'Iter',
    sort: 'last_x',
    down: true,
    right: true,
    width: 88,
    ...textCell(
      (s) => whole(s.last_x),
      (s) => (s.last_x == null ? '' : whole(s.last_x) + (s.max_iter ? ` of ${whole(s.max_iter)}` : '')),
    ),
  },
  {
    key: 'elapsed',
    label: 'Elapsed',
    sort: 'elapsed',
    down: true,
    right: true,
    width: 98,
    ticks: true,
    ...textCell((s) => duration(elapsedOf(s))),
  },
  {
    key: 'done',
    label: 'Done at',
    sort: 'eta',
    width: 134,
    dim: true,
    ticks: true,
    ...textCell(doneAt, (s) => exactTime(s.status === 'active' ? s.eta : endOf(s))),
  },
  {
    key: 'created',
    label: 'Started',
    sort: 'created_at',
    down: true,
    width: 124,
    dim: true,
    ticks: true,
    off: true,
    ...textCell(
      (s) => relativeTime(s.created_at, now()),
      (s) => exactTime(s.created_at),
    ),
  },
  { key: 'id', label: 'Id', width: 180, dim: true, off: true, ...textCell((s) => s.id) },
  { key: 'group', label: 'Group', sort: 'group', width: 120, off: true, ...textCell((s) => s.group || '–') },
  { key: 'tags', label: 'Tags', width: 170, needed: (s) => s.tags?.length > 0, cell: tagsCell },
  {
    key: 'note',
    label: 'Note',
    width: 220,
    off: true,
    dim: true,
    ...textCell(
      (s) => s.note || '–',
      (s) => s.note,
    ),
  },
];

/** @param {Session} session */
function doneAt(session) {
  const { status, eta } = session;
  if (status === 'active' && eta !== null && eta < now()) return 'any moment';
  return relativeTime(status === 'active' ? eta : endOf(session), now());
}

/** @type {Record<string, boolean>} whether columns are shown, by key */
let choice = {};
/** @type {{statistics: Column[], params: Column[], values: Column[]}} */
const found = { statistics: [], params: [], values: [] };
/** @type {Set<Column>} fixed ones that a session has something for */
const needed = new Set();
/** @type {WeakSet<Session>} */
const searched = new WeakSet();

const prefName = () => `columns.${page.project}`;

export function start() {
  choice = readPref(prefName(), choice);
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
 * Search new and changed sessions for columns.
 *
 * @returns {boolean} whether there are new columns
 */
export function discover() {
  const before = all().length + needed.size;
  for (const id of list.ids) {
    const session = sessions.get(id);
    if (!session || searched.has(session)) continue;
    searched.add(session);
    for (const column of FIXED) if (column.needed?.(session)) needed.add(column);
    for (const graph of session.graphs ?? [])
      for (const name of graph.kind ? graph.names : [])
        add('statistics', statistic(graph, statisticName(session, graph, name), isFraction(graph, name)));
    for (const [name, value] of Object.entries(session.params ?? {}))
      if (isPlain(value)) add('params', fieldColumn('params', name));
    for (const name of Object.keys(session.values ?? {})) add('values', fieldColumn('values', name));
  }
  return all().length + needed.size !== before;
}

/**
 * Add a column after those that are known, so that none moves.
 *
 * @param {keyof typeof found} group
 * @param {Column} column
 */
function add(group, column) {
  if (!found[group].some(({ key }) => key === column.key)) found[group].push(column);
}

/** @param {unknown} value */
const isPlain = (value) => value === null || typeof value !== 'object' || Array.isArray(value);

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
 * @param {Graph} graph
 * @param {string} name
 * @param {boolean} off
 * @returns {Column}
 */
function statistic(graph, name, off) {
  const kind = graph.kind ?? 'min';
  const key = `${kind}(${name})`;
  /** @param {Session} session */
  const value = (session) => session.stats?.[name]?.[kind];
  return {
    key,
    label: key,
    sort: key,
    down: kind === 'max',
    right: true,
    width: widthFor(key),
    kind,
    off,
    group: 'statistics',
    value,
    ...textCell((session) => number(value(session))),
  };
}

/**
 * A column of a param or a value.
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
      const value = session[group]?.[name];
      return typeof value === 'number' && group === 'values' ? number(value) : anything(value);
    }),
  };
}

const all = () => [...FIXED, ...found.statistics, ...found.params, ...found.values];

/** @param {Column} column */
function isShown(column) {
  if (column.fixed) return true;
  if (column.key in choice) return choice[column.key];
  if (column.off || (column.needed && !needed.has(column))) return false;
  if (column.group === 'statistics') return found.statistics.indexOf(column) < MAX_STATISTICS;
  return true;
}

export const shownColumns = () => all().filter(isShown);

/**
 * Fill the Columns menu.
 *
 * @param {HTMLElement} menu
 */
export function fillMenu(menu) {
  /** @type {[title: string, columns: Column[]][]} */
  const groups = [
    ['Columns', FIXED.filter((column) => !column.fixed)],
    ['Statistics', found.statistics],
    ['Params', found.params],
    ['Values', found.values],
  ];
  find(menu, '.menu-list').replaceChildren(
    ...groups
      .filter(([, columns]) => columns.length)
      .flatMap(([title, columns]) => [make('h3', { textContent: title }), ...columns.map(picker)]),
  );
}

/** @param {Column} column */
function picker(column) {
  const box = make('input', { type: 'checkbox', checked: isShown(column) });
  box.addEventListener('change', () => {
    choice = { ...choice, [column.key]: box.checked };
    writePref(prefName(), choice);
    emit('columns');
  });
  return make('label', { className: 'pick', title: column.label }, box, make('span', {}, column.label));
}
