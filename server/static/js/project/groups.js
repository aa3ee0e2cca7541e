// Groups of sessions in the charts: starts what they need once the first one is chosen, with the choice of their band.
import { BANDS, groupWindow } from '../charts/band.js';
import { showGroups } from '../charts/chart_grid.js';
import { groupCards } from '../charts/group_cards.js';
import * as members from '../data/group_members.js';
import * as groupSeries from '../data/group_series.js';
import { on, setView, state } from '../data/store.js';
import { elementById, make } from '../ui/dom.js';

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
