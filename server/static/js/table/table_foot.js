// The last line of the session table: why rows are missing, while the page tries to load them again.
import { list } from '../data/list_state.js';
import { reload, retryNow } from '../data/session_list.js';
import { on } from '../data/store.js';
import { byId, make } from '../ui/dom.js';

export function start() {
  const foot = byId('table-foot');
  const text = make('span');
  const button = make('button', { type: 'button', className: 'chip' }, 'Try now');
  button.addEventListener('click', () => (list.rejected ? reload() : retryNow()));
  foot.append(text, button);
  on('list', () => {
    const { error, isStale, rejected } = list;
    foot.hidden = error === null || list.ids.length === 0;
    if (error === null) return;
    const what = isStale ? '' : 'The next rows could not be loaded. ';
    const sentence = rejected ? error : `${what}${error} Trying again …`;
    if (text.textContent !== sentence) text.textContent = sentence;
  });
}
