// The cells of a row. Each function updates a cell, and touches the page only if something has changed.
import { detailsOf, fullReasonOf, lackOf, nonFiniteOf, reasonOf, tagOf } from '../data/session.js';
import { isChosen, now, palette, state } from '../data/store.js';
import { tagChip } from '../rows/tag_chips.js';
import { childrenOf, make, setText, setTitle } from '../ui/dom.js';

/** @import { Session } from '../data/session.js' */

/** @typedef {(td: HTMLTableCellElement, session: Session) => void} Cell */

const MARK_WIDTH = 17; // of the star and of the note's sign, in pixels
const TAG_END = 10; // characters at a tag's end that stay if it is cut
const MAX_WIDTHS = 5000;
/** @type {CanvasRenderingContext2D | null} */
let ruler = null;
/** @type {Map<string, number>} */
const widths = new Map();

/**
 * The children of a cell's only child, which `create` makes the first time.
 *
 * @param {HTMLElement} td
 * @param {() => HTMLElement} create
 */
function contentOf(td, create) {
  if (!td.firstElementChild) td.append(create());
  return /** @type {HTMLElement} */ (td.firstElementChild);
}

/**
 * A cell of plain text, and its tooltip.
 *
 * @param {(session: Session) => string} text
 * @param {(session: Session) => string} [title] by default, the text if it is long
 * @returns {{cell: Cell}}
 */
export function textCell(text, title) {
  return {
    cell(td, session) {
      const content = text(session);
      setText(td, content);
      if (title) setTitle(td, title(session));
      else if (content.length > 12) setTitle(td, content);
    },
  };
}

/** @type {Cell} */
export function pickCell(td, session) {
  td.classList.add('pick');
  const box = /** @type {HTMLInputElement} */ (
    contentOf(td, () => make('input', { type: 'checkbox', className: 'swatch', tabIndex: -1 }))
  );
  box.checked = isChosen(session.id);
  const label = `Show ${tagOf(session)} in the graphs`;
  if (box.ariaLabel !== label) box.ariaLabel = label;
  box.style.setProperty('--session', state.selected.includes(session.id) ? palette.color(session.id) : '');
}

/** @type {Cell} */
export function tagCell(td, session) {
  const box = contentOf(td, () =>
    make(
      'div',
      { className: 'tag-cell' },
      make('span', { className: 'star', title: 'Starred' }, '★'),
      make('span', { className: 'tag' }),
      make('span', { className: 'has-note' }, '¶'),
      make('a', { className: 'short', tabIndex: -1, href: detailsOf(session.id), title: `Details of ${session.id}` }),
      make(
        'button',
        { type: 'button', className: 'more', tabIndex: -1, ariaHasPopup: 'menu', title: 'Actions (m)' },
        '⋯',
      ),
    ),
  );
  const [star, label, note, link, more] = childrenOf(box);
  const { starred, note: text, own_tag: own } = session;
  star.hidden = !starred;
  setText(label, tagOf(session));
  setTitle(label, own == null ? tagOf(session) : `${tagOf(session)}\nits script calls it ${own}`);
  note.hidden = !text;
  setTitle(note, text ?? '');
  setText(link, session.id.slice(0, 4));
  const title = `Actions for ${tagOf(session)}`;
  if (more.ariaLabel !== title) more.ariaLabel = title;
}

/** @type {Cell} */
export function tagsCell(td, session) {
  const box = contentOf(td, () => make('div', { className: 'tag-chips' }));
  const tags = session.tags ?? [];
  const key = tags.join('\n');
  if (box.dataset.tags === key) return;
  box.dataset.tags = key;
  box.replaceChildren(...tags.map(tagChip));
  setTitle(td, tags.join(', '));
}

/**
 * Cut the middle of a tag that is too wide: the style sheet shows the end that this gives it.
 *
 * @param {HTMLTableCellElement} td made by `tagCell`
 * @param {number} available pixels
 */
export function cutTag(td, available) {
  const [box] = childrenOf(td);
  const [star, label, note] = childrenOf(box);
  const tag = label.textContent ?? '';
  const room = available - (star.hidden ? 0 : MARK_WIDTH) - (note.hidden ? 0 : MARK_WIDTH);
  const isCut = textWidth(tag) > room;
  const end = isCut ? [...tag].slice(-TAG_END).join('') : '';
  if (isCut && box.dataset.tail !== end) box.dataset.tail = end;
  if (!isCut && 'tail' in box.dataset) delete box.dataset.tail;
}

/** @param {string} text */
function textWidth(text) {
  if (text.length > 400) return Infinity;
  let width = widths.get(text);
  if (width === undefined) {
    if (!ruler) {
      ruler = make('canvas').getContext('2d');
      // once, because asking a changing page for styles makes the browser lay it out
      const { fontSize, fontFamily } = getComputedStyle(document.body); // `font` is empty beside tabular figures
      if (ruler) ruler.font = `${fontSize} ${fontFamily}`;
    }
    width = ruler?.measureText(text).width ?? 0;
    if (widths.size > MAX_WIDTHS) widths.clear();
    widths.set(text, width);
  }
  return width;
}

/** @type {Cell} */
export function statusCell(td, session) {
  const box = contentOf(td, () =>
    make(
      'span',
      {},
      make('i', { className: 'dot' }),
      make('span'),
      make('span', { className: 'lost' }),
      make('span', { className: 'why' }),
    ),
  );
  const [, word, lost, why] = childrenOf(box);
  const { status, failure } = session;
  if (box.className !== `status ${status}`) box.className = `status ${status}`;
  setText(word, status);
  const lack = lackOf(session);
  setText(lost, lack);
  lost.hidden = !lack;
  setText(why, reasonOf(session, now()));
  why.classList.toggle('non-finite', Boolean(nonFiniteOf(session)));
  const parts = [...new Set([status, failure, fullReasonOf(session, now())])].filter(Boolean);
  setTitle(td, parts.join(failure ? '\n' : ': '));
}

/** @type {Cell} */
export function progressCell(td, session) {
  const box = contentOf(td, () =>
    make(
      'div',
      { className: 'progress' },
      make('span', { className: 'track' }, make('i')),
      make('span', { className: 'percent' }),
    ),
  );
  const [track, percent] = childrenOf(box);
  const { progress } = session;
  track.style.visibility = progress === null ? 'hidden' : '';
  if (progress !== null) childrenOf(track)[0].style.transform = `scaleX(${progress})`;
  setText(percent, progress === null ? '–' : `${Math.floor(progress * 100)}%`);
  setTitle(td, session.max_iter ? `${session.last_x ?? 0} of ${session.max_iter}` : 'max_iter was not given');
}
