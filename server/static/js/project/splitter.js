// The bar between the table and the graphs, moved by pointer or arrow keys. Its position is kept.
import { list } from '../data/session_list.js';
import { on } from '../data/store.js';
import { byId } from '../ui/dom.js';
import { readPref, writePref } from '../ui/prefs.js';

// pixels
const MIN_HEIGHT = 94;
const CHARTS_HEIGHT = 260;
const ROW_HEIGHT = 30;
const HEAD_HEIGHT = 34;
const MIN_ROWS = 5;
const PREF = 'split';
/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 30, ArrowUp: -30, PageDown: 150, PageUp: -150 };

export function start() {
  const bar = byId('split');
  const pane = byId('table-pane');
  const maximum = () => Math.max(MIN_HEIGHT, innerHeight - CHARTS_HEIGHT);
  /** @param {number} height */
  const setHeight = (height) => {
    const bounded = Math.round(Math.min(maximum(), Math.max(MIN_HEIGHT, height)));
    pane.style.height = `${bounded}px`;
    bar.ariaValueNow = String(bounded);
    bar.ariaValueMin = String(MIN_HEIGHT);
    bar.ariaValueMax = String(maximum());
    return bounded;
  };
  const usual = pane.offsetHeight;
  /** @type {number | null} */
  const kept = readPref(PREF, null);
  setHeight(kept ?? usual);
  // the first rows that are loaded set the height, once; after that only the user does
  const fitRows = () => setHeight(Math.min(usual, HEAD_HEIGHT + ROW_HEIGHT * Math.max(MIN_ROWS, list.ids.length)));
  if (kept === null) on('list', fitRows, { once: true });

  bar.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    bar.setPointerCapture(event.pointerId);
    bar.classList.add('held');
    const start = event.clientY - pane.offsetHeight;
    /** @param {PointerEvent} moved */
    const move = (moved) => setHeight(moved.clientY - start);
    bar.addEventListener('pointermove', move);
    bar.addEventListener(
      'lostpointercapture',
      () => {
        bar.removeEventListener('pointermove', move);
        bar.classList.remove('held');
        writePref(PREF, pane.offsetHeight);
      },
      { once: true },
    );
  });
  bar.addEventListener('keydown', (event) => {
    const by = STEPS[event.key];
    if (!by) return;
    event.preventDefault();
    writePref(PREF, setHeight(pane.offsetHeight + by));
  });
  bar.addEventListener('dblclick', () => {
    writePref(PREF, null);
    setHeight(usual);
  });
}
