// The bar between the table and the graphs, dragged by pointer or moved by arrow keys. Its place is kept.
import { list } from '../data/session_list.js';
import { once } from '../data/store.js';
import { readPref, writePref } from '../ui/prefs.js';

const LEAST = 94;
const ROW = 30;
const HEAD = 34;
const FEW = 5;

export function start() {
  const bar = document.getElementById('split');
  const pane = document.getElementById('table-pane');
  const most = () => Math.max(LEAST, innerHeight - 260);
  const set = (height) => {
    const within = Math.round(Math.min(most(), Math.max(LEAST, height)));
    pane.style.height = `${within}px`;
    bar.ariaValueNow = String(within);
    bar.ariaValueMin = String(LEAST);
    bar.ariaValueMax = String(most());
    return within;
  };
  const usual = pane.offsetHeight;
  const kept = readPref('split', null);
  set(kept ?? usual);
  // The first rows that come say how high the table is, once; after that only the person does.
  if (kept === null) once('list', () => set(Math.min(usual, HEAD + ROW * Math.max(FEW, list.ids.length))));

  bar.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    bar.setPointerCapture(event.pointerId);
    bar.classList.add('held');
    const start = event.clientY - pane.offsetHeight;
    const move = (moved) => set(moved.clientY - start);
    bar.addEventListener('pointermove', move);
    bar.addEventListener(
      'lostpointercapture',
      () => {
        bar.removeEventListener('pointermove', move);
        bar.classList.remove('held');
        writePref('split', pane.offsetHeight);
      },
      { once: true },
    );
  });
  bar.addEventListener('keydown', (event) => {
    const by = { ArrowDown: 30, ArrowUp: -30, PageDown: 150, PageUp: -150 }[event.key];
    if (!by) return;
    event.preventDefault();
    writePref('split', set(pane.offsetHeight + by));
  });
  bar.addEventListener('dblclick', () => {
    writePref('split', null);
    set(usual);
  });
}
