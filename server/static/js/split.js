// The bar between the table and the graphs, dragged by pointer or moved by arrow keys. Its place is kept.
import { readPref, writePref } from './prefs.js';

const LEAST = 94;

export function startSplit() {
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
  const kept = readPref('split', null);
  set(kept ?? pane.offsetHeight);

  bar.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    bar.setPointerCapture(event.pointerId);
    bar.classList.add('held');
    const start = event.clientY - pane.offsetHeight;
    const move = (moved) => set(moved.clientY - start);
    bar.addEventListener('pointermove', move);
    bar.addEventListener('lostpointercapture', () => {
      bar.removeEventListener('pointermove', move);
      bar.classList.remove('held');
      writePref('split', pane.offsetHeight);
    }, { once: true });
  });
  bar.addEventListener('keydown', (event) => {
    const by = { ArrowDown: 30, ArrowUp: -30, PageDown: 150, PageUp: -150 }[event.key];
    if (!by) return;
    event.preventDefault();
    writePref('split', set(pane.offsetHeight + by));
  });
  bar.addEventListener('dblclick', () => {
    pane.style.height = '';
    writePref('split', null);
    set(pane.offsetHeight);
  });
}
