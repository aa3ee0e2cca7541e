// A card's legend: sessions by colour, quantities by dash. Each entry hides and shows its lines.
import { palette } from '../data/store.js';
import { sample } from './canvas.js';

const PLAIN = '--dim';

/** Draw it in `box`. `hidden` is the card's set of keys, 's:<id>' and 'n:<name>'; `changed` is called after a click. */
export function drawLegend(box, { sessions, names, dashes, labelOf, nameLabel, hidden, changed }) {
  const key = JSON.stringify([
    sessions.map((s) => [s.id, labelOf(s), palette.color(s.id)]),
    names,
    [...hidden],
    document.documentElement.dataset.theme,
  ]);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const focus = box.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const plain = getComputedStyle(document.documentElement).getPropertyValue(PLAIN).trim();
  const single = names.length === 1;
  const entries = [];
  if (sessions.length > 1 || single) {
    for (const session of sessions) {
      const text =
        sessions.length === 1 && single ? nameLabel(names[0]) || labelOf(session) : labelOf(session);
      entries.push(
        entry(
          `s:${session.id}`,
          text,
          session.tag,
          palette.color(session.id),
          single ? dashes.get(names[0]) : [],
        ),
      );
    }
  }
  if (!single) {
    const color = sessions.length === 1 ? palette.color(sessions[0].id) : plain;
    for (const name of names)
      entries.push(entry(`n:${name}`, nameLabel(name) || name, name, color, dashes.get(name)));
  }
  box.replaceChildren(...entries);
  box.classList.toggle('more', box.scrollHeight > box.clientHeight + 4);
  if (focus) box.querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus();

  function entry(id, text, title, color, dash) {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset.key = id;
    button.title = title ? `${title}: hide or show` : 'Hide or show';
    button.ariaPressed = String(!hidden.has(id));
    button.append(sample(document.createElement('canvas'), color, dash ?? []), quietText(text));
    button.ariaLabel = text;
    button.addEventListener('click', () => {
      if (!hidden.delete(id)) hidden.add(id);
      changed();
    });
    return button;
  }
}

/** A name that the style sheet writes: finding a tag in the page then leads to its row, and to nothing else. */
export function quietText(text) {
  const span = document.createElement('span');
  span.className = 'quiet-text';
  span.dataset.text = text;
  return span;
}

/** What a quantity is called beside its graph's title: 'train_loss' in 'loss' is 'train'. */
export function shortName(name, title) {
  if (name.toLowerCase() === title.toLowerCase()) return '';
  const parts = name.split(/[_/. -]/);
  const rest = parts.filter((part) => part.toLowerCase() !== title.toLowerCase());
  return rest.length && rest.length < parts.length ? rest.join(' ') : name;
}
