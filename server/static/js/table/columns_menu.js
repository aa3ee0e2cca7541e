// The Columns menu: every column that the project's sessions have something for, whether their rows are loaded or not.
import { differing } from '../data/differing.js';
import { projectFields } from '../data/fields.js';
import { on } from '../data/store.js';
import { rankedFields } from '../data/suggestions.js';
import { find, make, setText } from '../ui/dom.js';
import { whole } from '../ui/format.js';
import { choose, currentLayout, showDiffering, shownKeys } from './columns.js';
import { FIXED } from './fixed_columns.js';

/** @import { ProjectField } from '../data/fields.js' */

const STATISTICS = ['min', 'max', 'last', 'count'];
const MAX_ENTRIES = 300; // of a group; the field above finds the others

/** @type {ProjectField[]} */
let fields = [];
let following = new AbortController();

/**
 * Fill the menu with what the server knows of the project.
 *
 * @param {HTMLDetailsElement} menu
 */
export async function fill(menu) {
  const box = find(menu, '.menu-list');
  const search = make('input', {
    type: 'search',
    placeholder: 'Find a column',
    autocomplete: 'off',
    spellcheck: false,
  });
  search.ariaLabel = 'Find a column';
  const entries = make('div', { className: 'entries' });
  const draw = () => entries.replaceChildren(...groupsFor(search.value.trim()));
  box.replaceChildren(search, differingPicker(draw), entries);
  search.addEventListener('input', draw);
  draw();
  try {
    fields = await projectFields();
    draw();
  } catch {
    entries.append(
      make('p', { className: 'dim small' }, 'The columns of params, values and metrics could not be loaded.'),
    );
  }
}

/**
 * A box for the params that differ, and how many do.
 *
 * @param {() => void} changed
 */
function differingPicker(changed) {
  const box = make('input', { type: 'checkbox', checked: currentLayout().differing });
  const text = make('span', { className: 'detail' });
  const describe = () => setText(text, currentLayout().differing ? differingText() : '');
  box.addEventListener('change', () => {
    showDiffering(box.checked);
    changed();
  });
  following.abort(); // that of the menu before
  following = new AbortController();
  on('columns', describe, following);
  describe();
  return make('label', { className: 'pick differing' }, box, make('span', {}, 'Only params that differ'), text);
}

function differingText() {
  const found = differing();
  if (!found) return '';
  const { params, more, sessions } = found;
  const among = `among ${whole(sessions)} ${sessions === 1 ? 'session' : 'sessions'}`;
  return params.length ? `${params.length}${more ? '+' : ''} ${among}` : `none ${among}`;
}

/** @param {string} typed */
function groupsFor(typed) {
  const shown = shownKeys();
  const ranked = rankedFields(typed, fields);
  const fixed = FIXED.filter(({ fixed, label }) => !fixed && label.toLowerCase().includes(typed.toLowerCase()));
  /** @type {[title: string, entries: HTMLElement[]][]} */
  const groups = [
    ['Columns', fixed.map(({ key, label }) => picker(key, label, '', shown))],
    ['Params', fieldPickers(ranked, 'params', shown)],
    ['Values', fieldPickers(ranked, 'values', shown)],
    ['Metrics', metricPickers(ranked, shown)],
  ];
  const filled = groups.filter(([, entries]) => entries.length);
  if (!filled.length) return [make('p', { className: 'dim small' }, 'There is no such column.')];
  return filled.flatMap(([title, entries]) => [make('h3', { textContent: title }), ...cut(entries)]);
}

/** @param {HTMLElement[]} entries */
function cut(entries) {
  if (entries.length <= MAX_ENTRIES) return entries;
  const more = make('p', { className: 'dim small' }, `${entries.length - MAX_ENTRIES} more: type a part of the name`);
  return [...entries.slice(0, MAX_ENTRIES), more];
}

/**
 * @param {ProjectField[]} ranked
 * @param {'params' | 'values'} wanted
 * @param {Set<string>} shown
 */
const fieldPickers = (ranked, wanted, shown) =>
  ranked
    .filter(({ group }) => group === wanted)
    .map(({ name, kind }) => picker(`${wanted}.${name}`, name, kind, shown));

/**
 * A metric with a box for each of its statistics.
 *
 * @param {ProjectField[]} ranked
 * @param {Set<string>} shown
 */
function metricPickers(ranked, shown) {
  /** @type {Map<string, string[]>} */
  const metrics = new Map();
  for (const { group, name, sort } of ranked)
    if (group === 'statistics') metrics.set(name, [...(metrics.get(name) ?? []), String(sort).split('(')[0]]);
  return [...metrics].map(([metric, statistics]) => {
    const boxes = STATISTICS.filter((one) => statistics.includes(one)).map((one) =>
      make('label', {}, checkbox(`${one}(${metric})`, shown), one),
    );
    const row = make('div', { className: 'metric', role: 'group' }, make('span', { title: metric }, metric), ...boxes);
    row.ariaLabel = metric;
    return row;
  });
}

/**
 * @param {string} key
 * @param {string} label
 * @param {string} detail
 * @param {Set<string>} shown
 */
function picker(key, label, detail, shown) {
  const parts = [checkbox(key, shown), make('span', {}, label)];
  if (detail) parts.push(make('span', { className: 'detail' }, detail));
  return make('label', { className: 'pick', title: label }, ...parts);
}

/**
 * @param {string} key
 * @param {Set<string>} shown
 */
function checkbox(key, shown) {
  const box = make('input', { type: 'checkbox', checked: shown.has(key) });
  box.addEventListener('change', () => choose(key, box.checked));
  if (currentLayout().differing && key.startsWith('params.'))
    Object.assign(box, { disabled: true, title: 'Only params that differ are shown' });
  return box;
}
