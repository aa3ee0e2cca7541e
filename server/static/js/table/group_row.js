// The table's rows of groups: what their sessions have in common, how many they are, and the mean, deviation and best of
// each statistic.
import { isGroupChosen, wholeQuery } from '../data/group_choice.js';
import { isOpen } from '../data/grouping.js';
import { inQuotes } from '../data/query_text.js';
import { now, palette } from '../data/store.js';
import { childrenOf, make, setText, setTitle } from '../ui/dom.js';
import { anything, exactTime, number, relativeTime, whole } from '../ui/format.js';
import { spread } from '../ui/spread.js';
import { createRow, setDepth } from './session_row.js';
import { view } from './view.js';

/** @import { Status } from '../data/session.js' */
/** @import { Measures, Node, SessionGroup } from '../data/group_types.js' */
/** @import { Row } from '../data/table_rows.js' */
/** @import { Column } from './fixed_columns.js' */

const SHORT_COMMIT = 8;
/** @type {Status[]} what matters most first: there may not be room for all */
const STATUSES = ['active', 'failed', 'cancelled', 'complete'];

/** What the server calls the fields of fixed columns that a group's sessions may share. */
const SHARED = ['group', 'commit', 'branch', 'host', 'user'];

/**
 * The statistics and fields that these columns show of a group.
 *
 * @param {Column[]} columns
 */
export function askedBy(columns) {
  const statistics = columns.filter(({ group }) => group === 'statistics').map(({ key }) => key);
  const fields = columns.map(fieldOf).filter((field) => field !== '');
  return { statistics, fields };
}

/**
 * @param {Column} column
 * @returns {string} '' for a column that no field belongs to
 */
function fieldOf({ key, group }) {
  if (SHARED.includes(key)) return key;
  if (group !== 'params' && group !== 'values') return '';
  return `${group}.${inQuotes(key.slice(group.length + 1))}`;
}

/**
 * @param {Row & {node: Node}} row
 * @returns {HTMLTableRowElement}
 */
export function updateGroupRow({ key, depth, node }) {
  const row = view.rows.get(key) ?? createRow(key);
  row.classList.add('group');
  setDepth(row, depth);
  row.ariaExpanded = String(isOpen(node.q));
  row.ariaSelected = String(isGroupChosen(node.q));
  row.ariaPosInSet = String(node.place + 1);
  row.ariaSetSize = String(node.siblings);
  view.columns.forEach((column, at) => {
    updateCell(row.cells[at], column, node);
  });
  return row;
}

/**
 * @param {HTMLTableCellElement} td
 * @param {Column} column
 * @param {Node} node
 */
function updateCell(td, column, node) {
  const { group } = node;
  if (column.key === 'pick') pickCell(td, node);
  else if (column.key === 'tag') nameCell(td, node);
  else if (column.key === 'status') statusCell(td, group);
  else if (column.group === 'statistics') statisticCell(td, group.stats[column.key], group.sessions);
  else if (column.key === 'done') {
    setText(td, relativeTime(group.updated_at, now()));
    setTitle(td, `Last change: ${exactTime(group.updated_at)}`);
  } else {
    const value = group.same[fieldOf(column)];
    const text = value === undefined ? '' : shared(column, value);
    setText(td, text);
    setTitle(td, text && `${String(typeof value === 'object' ? text : value)}\nin all of its sessions`);
  }
}

/**
 * @param {Column} column
 * @param {unknown} value
 */
function shared({ key, group }, value) {
  if (key === 'commit') return String(value).slice(0, SHORT_COMMIT);
  return typeof value === 'number' && group === 'values' ? number(value) : anything(value);
}

/**
 * @param {HTMLTableCellElement} td
 * @param {Node} node
 */
function pickCell(td, { q, label }) {
  td.classList.add('pick');
  if (!td.firstElementChild) td.append(make('input', { type: 'checkbox', className: 'swatch', tabIndex: -1 }));
  const box = /** @type {HTMLInputElement} */ (td.firstElementChild);
  const isChosen = isGroupChosen(q);
  box.checked = isChosen;
  box.ariaLabel = `Show the mean of ${label} in the graphs`;
  box.style.setProperty('--session', isChosen ? palette.color(`g:${wholeQuery(q)}`) : '');
}

/**
 * @param {HTMLTableCellElement} td
 * @param {Node} node
 */
function nameCell(td, { q, field, label, group }) {
  if (!td.firstElementChild) td.append(nameBox());
  const [toggle, name, count, dot, more] = childrenOf(/** @type {HTMLElement} */ (td.firstElementChild));
  const action = isOpen(q) ? 'Close' : 'Open';
  if (toggle.ariaLabel !== `${action} ${label}`) toggle.ariaLabel = `${action} ${label}`;
  const isMissing = group.kind === 'missing';
  const [before, sign, value] = childrenOf(name);
  setText(before, isMissing ? 'no' : field);
  setText(sign, isMissing ? ' ' : ' = ');
  setText(value, isMissing ? field : group.label || '""');
  setTitle(name, `${field} = ${isMissing ? 'none' : (group.label ?? '')}`);
  name.classList.toggle('missing', isMissing);
  setText(count, whole(group.sessions));
  setTitle(count, group.sessions === 1 ? '1 session' : `${whole(group.sessions)} sessions`);
  const { active } = group.counts;
  dot.hidden = !active;
  setTitle(dot, active ? `${whole(active)} running` : '');
  more.ariaLabel = `Actions for ${label}`;
}

const nameBox = () =>
  make(
    'div',
    { className: 'tag-cell group-cell' },
    make('button', { type: 'button', className: 'fold', tabIndex: -1 }),
    make(
      'span',
      { className: 'tag' },
      make('span', { className: 'field' }),
      make('span', { className: 'sign' }),
      make('b'),
    ),
    make('span', { className: 'group-count' }),
    make('i', { className: 'dot running' }),
    make(
      'button',
      { type: 'button', className: 'more', tabIndex: -1, ariaHasPopup: 'menu', title: 'Actions (m)' },
      '⋯',
    ),
  );

/**
 * @param {HTMLTableCellElement} td
 * @param {SessionGroup} group
 */
function statusCell(td, { counts }) {
  const given = STATUSES.map((status) => /** @type {const} */ ([status, counts[status]])).filter(
    ([, count]) => count > 0,
  );
  const text = given.map(([status, count]) => `${whole(count)} ${status}`).join(', ');
  if (td.dataset.counts === text) return;
  td.dataset.counts = text;
  td.replaceChildren(
    make(
      'span',
      { className: 'group-status' },
      ...given.map(([status, count]) =>
        make('span', { className: `status ${status}` }, make('i', { className: 'dot' }), `${whole(count)} ${status}`),
      ),
    ),
  );
  setTitle(td, text);
}

/**
 * @param {HTMLTableCellElement} td
 * @param {Measures | undefined} measures
 * @param {number} sessions
 */
function statisticCell(td, measures, sessions) {
  if (measures?.mean == null) {
    setText(td, measures ? '–' : '');
    return setTitle(td, '');
  }
  const { n, mean, sd, min, max, best } = measures;
  const [text, size] = spread(mean, sd);
  const after = (size && ` ± ${size}`) + (best === null || n < 2 ? '' : ` · best ${number(best)}`);
  if (td.textContent !== text + after) td.replaceChildren(text, make('span', { className: 'sd' }, after));
  const lines = [
    `mean ${mean}`,
    sd === null ? 'one value, so no deviation' : `standard deviation ${sd}`,
    ...(best === null ? [] : [`best ${best}`]),
    `from ${min} to ${max}`,
    n === sessions ? `${n} sessions` : `${n} of ${sessions} sessions`,
  ];
  setTitle(td, lines.join('\n'));
}

/**
 * A row that loads more of a group, waits for its rows, or says why there are none.
 *
 * @param {Row} row
 * @param {number} left how many there are beside those that are loaded; 0 if it is not known
 * @param {string} [error]
 * @returns {HTMLTableRowElement}
 */
export function updateOtherRow({ key, kind, depth }, left, error = '') {
  let row = view.rows.get(key);
  if (!row) {
    row = make('tr', { className: 'other' }, make('td', { colSpan: view.columns.length }));
    row.dataset.row = key;
    view.rows.set(key, row);
  }
  setDepth(row, depth);
  const text = kind === 'wait' ? 'Loading …' : error;
  const action = kind === 'error' ? 'Try again' : left ? `Show more: ${whole(left)} are left` : 'Show more';
  const parts = [text, kind === 'wait' ? '' : action].filter(Boolean);
  if (row.textContent === parts.join('')) return row;
  row.cells[0].replaceChildren(
    ...parts.map((part) =>
      part === text
        ? make('span', { className: 'dim load' }, part)
        : make('button', { type: 'button', className: 'quiet-button load', tabIndex: -1 }, part),
    ),
  );
  return row;
}
