// A card's legend: sessions by color, metrics by dash. Each entry hides and shows its lines.
import { palette } from '../data/store.js';
import { cssValue, find, make } from '../ui/dom.js';
import { lineSample } from './canvas.js';

/** @import { Session } from '../data/session.js' */
/** @import { Dash } from '../ui/palette.js' */

/** @typedef {{key: string, text: string, title: string, color: string}} LegendGroup */

/**
 * @typedef {object} LegendOptions
 * @property {Session[]} sessions
 * @property {LegendGroup[]} groups
 * @property {string[]} names metrics
 * @property {Map<string, Dash>} dashes by metric
 * @property {(session: Session) => string} labelOf
 * @property {(name: string) => string} nameLabel
 * @property {Set<string>} hidden keys of hidden entries: 's:<id>', 'g:<query>', 'n:<name>'
 * @property {(key: string) => void} toggle switches an entry on or off
 */

/**
 * Draw the legend in `box`, if it is to change.
 *
 * @param {HTMLElement} box
 * @param {LegendOptions} options
 */
export function drawLegend(box, { sessions, groups, names, dashes, labelOf, nameLabel, hidden, toggle }) {
  const key = JSON.stringify([
    sessions.map((session) => [session.id, labelOf(session), palette.color(session.id)]),
    groups,
    names,
    [...hidden],
    document.documentElement.dataset.theme,
  ]);
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const focused = document.activeElement;
  const focusedKey = focused instanceof HTMLElement && box.contains(focused) ? focused.dataset.key : undefined;
  const isSingle = names.length === 1;
  const entries = [];
  const dash = (isSingle && dashes.get(names[0])) || [];
  for (const { key: id, text, title, color } of groups) entries.push(entry(id, text, title, color, dash, true));
  if (sessions.length > 1 || isSingle || groups.length) {
    for (const session of sessions) {
      const name = sessions.length === 1 && isSingle && !groups.length ? nameLabel(names[0]) : '';
      entries.push(entry(`s:${session.id}`, name || labelOf(session), session.tag, palette.color(session.id), dash));
    }
  }
  if (!isSingle) {
    const color = sessions.length === 1 && !groups.length ? palette.color(sessions[0].id) : cssValue('--dim');
    for (const name of names)
      entries.push(entry(`n:${name}`, nameLabel(name) || name, name, color, dashes.get(name) ?? []));
  }
  box.replaceChildren(...entries);
  box.classList.toggle('more', box.scrollHeight > box.clientHeight + 4);
  if (focusedKey && entries.some(({ dataset }) => dataset.key === focusedKey))
    find(box, `[data-key="${CSS.escape(focusedKey)}"]`).focus();

  /**
   * @param {string} id
   * @param {string} text
   * @param {string} title
   * @param {string} color
   * @param {Dash} dash
   * @param {boolean} [isBand]
   */
  function entry(id, text, title, color, dash, isBand) {
    const button = make(
      'button',
      {
        type: 'button',
        title: title ? `${title}: hide or show` : 'Hide or show',
        ariaPressed: String(!hidden.has(id)),
        ariaLabel: text,
      },
      lineSample(color, dash, isBand),
      generatedText(text),
    );
    button.dataset.key = id;
    button.addEventListener('click', () => toggle(id));
    return button;
  }
}

/**
 * Text that the style sheet generates, so that searching the page for a tag finds its row only.
 *
 * @param {string} text
 */
export function generatedText(text) {
  const span = make('span', { className: 'quiet-text' });
  span.dataset.text = text;
  return span;
}

/**
 * A metric's name beside its graph's title: 'train_loss' in 'loss' is 'train'; '' if it is the title.
 *
 * @param {string} name
 * @param {string} title
 */
export function shortName(name, title) {
  if (name.toLowerCase() === title.toLowerCase()) return '';
  const parts = name.split(/[_/. -]/);
  const rest = parts.filter((part) => part.toLowerCase() !== title.toLowerCase());
  return rest.length && rest.length < parts.length ? rest.join(' ') : name;
}
