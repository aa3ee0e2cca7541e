// The button of the saved views: which one is shown, and whether it has unsaved changes. Its menu is loaded on demand.
import { currentView, isChanged, problem } from '../data/history.js';
import { on } from '../data/store.js';
import { byId, find, setText, setTitle } from '../ui/dom.js';
import { showToast } from '../ui/toast.js';

export function start() {
  const button = byId('views');
  button.addEventListener('click', async () => {
    const menu = await import('./views_menu.js');
    const { left, bottom } = button.getBoundingClientRect();
    await menu.open({ x: left, y: bottom + 4 });
  });
  on('views', draw);
  draw();
  if (problem()) showToast(problem());
}

function draw() {
  const button = byId('views');
  const view = currentView();
  const isDirty = isChanged();
  setText(find(button, '.name'), view?.name ?? 'Views');
  find(button, '.dot').hidden = !isDirty;
  button.ariaLabel = view ? `View ${view.name}${isDirty ? ', unsaved changes' : ''}` : 'Views';
  const whose = view?.shared ? "the project's" : 'your own';
  const title = view ? `${view.name}: ${whose} view${isDirty ? ', with unsaved changes' : ''}` : 'Saved views';
  setTitle(button, title);
}
