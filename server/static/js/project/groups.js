// Groups of sessions in the charts: starts what they need once the first one is chosen, with the choice of their band and
// a list of them, from which each can be removed.
import { BANDS, groupWindow } from '../charts/band.js';
import { showGroups } from '../charts/chart_grid.js';
import { groupCards } from '../charts/group_cards.js';
import { removeGroup } from '../data/group_choice.js';
import * as members from '../data/group_members.js';
import * as groupSeries from '../data/group_series.js';
import { on, palette, setView, state } from '../data/store.js';
import { byId, elementById, findAll, make } from '../ui/dom.js';

/** @import { Group } from '../data/address.js' */
/** @import { BandKind } from '../data/store.js' */

export const { catchUp } = members;

let isStarted = false;

export function start() {
  if (isStarted) return;
  isStarted = true;
  members.start();
  groupSeries.start(({ steps }) => (state.zoom ? groupWindow(state.zoom, state.xMode, steps) : null));
  showGroups(groupCards);
  startBand();
  on('groups', drawChips);
  addEventListener('losswise:theme', drawChips);
  drawChips();
}

function startBand() {
  const field = elementById('band', HTMLSelectElement);
  field.append(...BANDS.map(([kind, label]) => make('option', { value: kind }, label)));
  field.addEventListener('change', () => setView({ band: /** @type {BandKind} */ (field.value) }));
  const draw = () => {
    field.hidden = state.groups.length === 0;
    field.value = state.band;
  };
  on('view', draw);
  on('groups', draw);
  draw();
}

function drawChips() {
  const list = byId('group-chips');
  list.hidden = !state.groups.length;
  list.replaceChildren(...state.groups.map(chipOf));
}

/** @param {Group} group */
function chipOf(group) {
  const dot = make('i', { className: 'dot' });
  dot.style.color = palette.color(`g:${group.q}`);
  const remove = make('button', { type: 'button', ariaLabel: `Remove ${group.label} from the graphs` }, '×');
  remove.addEventListener('click', () => {
    const at = state.groups.findIndex(({ q }) => q === group.q);
    removeGroup(group);
    const left = findAll(byId('group-chips'), 'button');
    left[Math.min(at, left.length - 1)]?.focus();
  });
  return make(
    'li',
    { className: 'chip', title: group.label },
    dot,
    make('span', { className: 'name' }, group.label),
    remove,
  );
}
