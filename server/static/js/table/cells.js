// The cells of a row. Each function brings one cell up to date, and touches the page only where something changed.
import { detailsOf, reasonOf, tagOf, wholeReasonOf } from '../data/session.js';
import { now, palette, state } from '../data/store.js';
import { setText, setTitle } from '../ui/dom.js';

const TAG_TAIL = 10;
let ruler = null;
let font = '';
const widths = new Map();

/** A column's cell of plain text, and the text that hovering shows. */
export function textCell(text, title) {
  return {
    cell(td, session) {
      setText(td, text(session));
      if (title) setTitle(td, title(session));
      else if (td.textContent.length > 12) setTitle(td, td.textContent);
    },
  };
}

export function pickCell(td, session) {
  let box = td.firstChild;
  if (!box) {
    td.className = 'pick';
    box = document.createElement('input');
    box.type = 'checkbox';
    box.className = 'swatch';
    box.tabIndex = -1;
    td.append(box);
  }
  const chosen = state.selected.includes(session.id);
  box.checked = chosen;
  const label = `Show ${tagOf(session)} in the graphs`;
  if (box.ariaLabel !== label) box.ariaLabel = label;
  box.style.setProperty('--session', chosen ? palette.color(session.id) : '');
}

export function tagCell(td, session) {
  let box = td.firstChild;
  if (!box) {
    box = document.createElement('div');
    box.className = 'tag-cell';
    const tag = document.createElement('span');
    tag.className = 'tag';
    const short = document.createElement('a');
    short.className = 'short';
    short.tabIndex = -1;
    box.append(tag, short);
    td.append(box);
  }
  const tag = tagOf(session);
  const [label, short] = box.children;
  if (label.textContent !== tag) {
    label.textContent = tag;
    label.title = tag;
  }
  setText(short, session.id.slice(0, 4));
  if (short.title !== `Details of ${session.id}`) {
    short.title = `Details of ${session.id}`;
    short.href = detailsOf(session.id);
  }
}

/** Cut tags that are too wide for the column in their middle: the end of the text is shown by the style sheet. */
export function cutTag(td, available) {
  const box = td.firstChild;
  const tag = box.firstChild.textContent;
  const cut = textWidth(tag) > available;
  const tail = cut ? [...tag].slice(-TAG_TAIL).join('') : '';
  if (cut && box.dataset.tail !== tail) box.dataset.tail = tail;
  if (!cut && 'tail' in box.dataset) delete box.dataset.tail;
}

function textWidth(text) {
  if (text.length > 400) return Infinity;
  let width = widths.get(text);
  if (width === undefined) {
    ruler ??= document.createElement('canvas').getContext('2d');
    ruler.font = font ||= getComputedStyle(document.body).font; // asked of a page under change, it is laid out anew
    width = ruler.measureText(text).width;
    if (widths.size > 5000) widths.clear();
    widths.set(text, width);
  }
  return width;
}

export function statusCell(td, session) {
  let box = td.firstChild;
  if (!box) {
    box = document.createElement('span');
    const dot = document.createElement('i');
    dot.className = 'dot';
    const why = document.createElement('span');
    why.className = 'why';
    box.append(dot, document.createElement('span'), why);
    td.append(box);
  }
  const [, word, why] = box.children;
  const reason = reasonOf(session, now());
  if (box.className !== `status ${session.status}`) box.className = `status ${session.status}`;
  setText(word, session.status);
  setText(why, reason);
  const title = [...new Set([session.status, session.failure, wholeReasonOf(session, now())])].filter(Boolean);
  setTitle(td, title.join(session.failure ? '\n' : ': '));
}

export function progressCell(td, session) {
  let box = td.firstChild;
  if (!box) {
    box = document.createElement('div');
    box.className = 'progress';
    const track = document.createElement('span');
    track.className = 'track';
    track.append(document.createElement('i'));
    const percent = document.createElement('span');
    percent.className = 'percent';
    box.append(track, percent);
    td.append(box);
  }
  const [track, percent] = box.children;
  const known = session.progress != null;
  track.style.visibility = known ? '' : 'hidden';
  if (known) track.firstChild.style.transform = `scaleX(${session.progress})`;
  setText(percent, known ? `${Math.floor(session.progress * 100)}%` : '–');
  setTitle(td, session.max_iter ? `${session.last_x ?? 0} of ${session.max_iter}` : 'max_iter was not given');
}
