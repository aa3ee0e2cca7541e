// What the charts' pane shows while there is no chart.
import { list } from '../data/session_list.js';
import { select, setView, state } from '../data/store.js';
import { byId, elementById } from '../ui/dom.js';
import { showEmpty } from '../ui/empty_state.js';

/** @import { EmptyMessage } from '../ui/empty_state.js' */

/**
 * @typedef {object} ChartCounts
 * @property {number} selected sessions
 * @property {number} loaded those of them that are loaded
 * @property {number} groups
 * @property {boolean} pending whether it is not known yet which graphs the groups have
 * @property {number} cards
 * @property {boolean} allHidden whether the filter hides all cards
 */

/**
 * Show a message if there is no card, or none that the filter lets through.
 *
 * @param {ChartCounts} counts
 */
export function showEmptyCharts(counts) {
  const isNew =
    list.loaded && !list.ids.length && !counts.selected && !counts.groups && !state.q && !state.status && !state.place;
  document.body.classList.toggle('newcomer', isNew);
  showEmpty(byId('charts-empty'), messageFor(counts));
}

/**
 * @param {ChartCounts} counts
 * @returns {EmptyMessage | null}
 */
function messageFor({ selected, loaded, groups, pending, cards, allHidden }) {
  if (cards && !allHidden) return null;
  if (cards)
    return {
      id: 'filter',
      title: `No graph matches “${state.graphFilter}”`,
      button: ['Show all graphs', showAllGraphs],
    };
  if (!list.loaded || (selected && !loaded) || pending) return null;
  if (selected || groups)
    return {
      id: 'no graph',
      title: selected === 1 && !groups ? 'This session has no graph yet' : 'These sessions have no graph yet',
      text: 'A graph appears with its first point:',
      code: 'session.log({"train_loss": loss}, step)',
    };
  if (!list.ids.length) return null;
  return {
    id: `select ${state.notice}`,
    title: state.notice || 'Select sessions to see their graphs',
    text: 'Click a row to show only that session, or its square to add it to the others.',
    button: ['Show the newest five', () => select(list.ids.slice(0, 5))],
  };
}

function showAllGraphs() {
  elementById('graph-filter', HTMLInputElement).value = '';
  setView({ graphFilter: '' });
}
