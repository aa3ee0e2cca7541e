// The table's columns: what each shows, how the server sorts by it, which of them the person chose.
import { list } from '../data/session_list.js';
import { emit, now, page, sessions } from '../data/store.js';
import { anything, duration, exactTime, number, relativeTime, whole } from '../ui/format.js';
import { readPref, writePref } from '../ui/prefs.js';
import { pickCell, progressCell, statusCell, tagCell, textCell } from './cells.js';

const SHOWN_STATISTICS = 6;
const pref = () => `columns.${page.project}`;

export const endOf = (session) => session.ended_at ?? session.heard_at ?? session.updated_at;
export const elapsedOf = (session) =>
  (session.status === 'active' ? now() : endOf(session)) - session.created_at;

const FIXED = [
  { key: 'pick', label: '', width: 38, cell: pickCell, fixed: true },
  { key: 'tag', label: 'Tag', sort: 'tag', width: 216, cell: tagCell, fixed: true },
  { key: 'status', label: 'Status', sort: 'status', width: 204, cell: statusCell, fixed: true },
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
    label: 'Created',
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
  { key: 'group', label: 'Group', width: 120, off: true, ...textCell((s) => s.group || '–') },
];

function doneAt(session) {
  if (session.status === 'active' && session.eta < now()) return session.eta == null ? '–' : 'any moment';
  return relativeTime(session.status === 'active' ? session.eta : endOf(session), now());
}

let choice = {};
let found = { statistics: [], params: [], values: [] };
const looked = new WeakSet();

/** Take the choice of earlier visits. */
export function start() {
  choice = readPref(pref(), {});
}

/** The name under which a session's statistics hold this quantity of this graph. */
export function statisticName(session, graph, name) {
  const long = `${graph.title}/${name}`;
  return session.stats && long in session.stats ? long : name;
}

/** Look through the loaded sessions that are new or changed for columns; true where there are others than before. */
export function discover() {
  const fresh = loaded().filter((session) => !looked.has(session));
  if (!fresh.length) return false;
  const names = { statistics: new Map(), params: new Set(), values: new Set() };
  for (const session of fresh) {
    looked.add(session);
    for (const graph of session.graphs ?? []) {
      if (!graph.kind) continue;
      for (const name of graph.names ?? []) {
        const full = statisticName(session, graph, name);
        names.statistics.set(`${graph.kind}(${full})`, { kind: graph.kind, name: full });
      }
    }
    for (const [name, value] of Object.entries(session.params ?? {}))
      if (isPlain(value)) names.params.add(name);
    for (const name of Object.keys(session.values ?? {})) names.values.add(name);
  }
  const before = signature();
  found = {
    statistics: merge(
      found.statistics,
      [...names.statistics].map(([key, at]) => statistic(key, at)),
      'key',
    ),
    params: merge(
      found.params,
      [...names.params].map((name) => anyColumn('params', name)),
      'key',
    ),
    values: merge(
      found.values,
      [...names.values].map((name) => anyColumn('values', name)),
      'key',
    ),
  };
  return signature() !== before;
}

const loaded = () => list.ids.map((id) => sessions.get(id)).filter(Boolean);

// A column keeps its place once it has one, so that nothing jumps when a session brings another.
function merge(old, fresh, by) {
  const known = new Set(old.map((column) => column[by]));
  return [...old, ...fresh.filter((column) => !known.has(column[by]))];
}

const isPlain = (value) => value === null || typeof value !== 'object' || Array.isArray(value);
// room for the label in bold and the arrow
const widthFor = (label) => Math.min(280, Math.max(88, 40 + 7.1 * label.length));

function statistic(key, { kind, name }) {
  return {
    key,
    label: key,
    sort: key,
    down: kind === 'max',
    right: true,
    width: widthFor(key),
    kind,
    group: 'statistics',
    value: (s) => s.stats?.[name]?.[kind],
    ...textCell((s) => number(s.stats?.[name]?.[kind])),
  };
}

function anyColumn(group, name) {
  const read = (s) => s[group]?.[name];
  return {
    key: `${group}.${name}`,
    label: name,
    sort: `${group}.${name}`,
    right: true,
    width: widthFor(name),
    off: group === 'params',
    group,
    ...textCell((s) =>
      typeof read(s) === 'number' && group === 'values' ? number(read(s)) : anything(read(s)),
    ),
  };
}

const signature = () =>
  all()
    .map((column) => column.key)
    .join('\n');
export const all = () => [...FIXED, ...found.statistics, ...found.params, ...found.values];

function isShown(column) {
  if (column.fixed) return true;
  if (column.key in choice) return choice[column.key];
  if (column.group === 'statistics') return found.statistics.indexOf(column) < SHOWN_STATISTICS;
  return !column.off;
}

export const shown = () => all().filter(isShown);

/** Fill the Columns menu. */
export function fillMenu(menu) {
  const box = menu.querySelector('.menu-list');
  const groups = [
    ['Columns', FIXED.filter((column) => !column.fixed)],
    ['Statistics', found.statistics],
    ['Params', found.params],
    ['Values', found.values],
  ];
  box.replaceChildren(
    ...groups
      .filter(([, columns]) => columns.length)
      .flatMap(([title, columns]) => [heading(title), ...columns.map(picker)]),
  );
}

function heading(title) {
  const element = document.createElement('h3');
  element.textContent = title;
  return element;
}

function picker(column) {
  const label = document.createElement('label');
  label.className = 'pick';
  label.title = column.label;
  const box = document.createElement('input');
  box.type = 'checkbox';
  box.checked = isShown(column);
  box.addEventListener('change', () => {
    choice = { ...choice, [column.key]: box.checked };
    writePref(pref(), choice);
    emit('columns');
  });
  const text = document.createElement('span');
  text.textContent = column.label;
  label.append(box, text);
  return label;
}
