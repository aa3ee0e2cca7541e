// What the charts' pane says while there is no chart to show.
import { list } from '../data/session_list.js';
import { select, state, view } from '../data/store.js';
import { say } from '../ui/empty_state.js';

/** There are no cards, or none that the filter lets through. */
export function absentCharts({ chosen, known, cards, hidden }) {
  const chartsBox = document.getElementById('charts-empty');
  document.body.classList.toggle(
    'newcomer',
    list.loaded && !list.ids.length && !chosen && !state.q && !state.status,
  );
  if (cards && !hidden) return say(chartsBox, null);
  if (cards) {
    return say(chartsBox, {
      id: 'filter',
      title: `No graph is called “${state.graphFilter}”`,
      button: [
        'Show all graphs',
        () => {
          document.getElementById('graph-filter').value = '';
          view({ graphFilter: '' });
        },
      ],
    });
  }
  if (!list.loaded || (chosen && !known)) return say(chartsBox, null);
  if (chosen) {
    return say(chartsBox, {
      id: 'graphless',
      title: chosen === 1 ? 'This session has no graph yet' : 'These sessions have no graph yet',
      text: 'A graph appears with its first point:',
      code: 'session.log({"train_loss": loss}, step)',
    });
  }
  if (!list.ids.length) return say(chartsBox, null);
  say(chartsBox, {
    id: `choose ${state.gone}`,
    title: state.gone || 'Choose sessions to see their graphs',
    text: 'Click a row to see it alone, its square to add it to the others.',
    button: ['Show the newest five', () => select(list.ids.slice(0, 5))],
  });
}
