// Dragging in the table's head: a column to another place, or its right edge.
import { childrenOf } from '../ui/dom.js';
import { isMovable, MAX_WIDTH, MIN_WIDTH } from './layout.js';

const MIN_DISTANCE = 6; // pixels, below which it is a click

/**
 * Move a column while the pointer is held, once it has moved a little. A finger scrolls the table instead.
 *
 * @param {PointerEvent} event that began it
 * @param {HTMLElement} th
 * @param {(key: string, before: string | null) => void} move
 */
export function startMoving(event, th, move) {
  const isEdge = event.target instanceof Element && event.target.classList.contains('edge');
  if (event.button !== 0 || event.pointerType === 'touch' || isEdge) return;
  const start = event.clientX;
  const { key = '' } = th.dataset;
  /** @type {string | null | undefined} */
  let before;
  let isDragging = false;
  follow(
    (x) => {
      isDragging ||= Math.abs(x - start) >= MIN_DISTANCE;
      if (!isDragging) return;
      th.classList.add('dragged');
      before = placeAt(th, x);
    },
    () => {
      th.classList.remove('dragged');
      clearMarks(th);
      if (!isDragging) return;
      // the button's click would sort
      th.addEventListener('click', (click) => click.stopImmediatePropagation(), { capture: true, once: true });
      setTimeout(() => before !== undefined && move(key, before));
    },
  );
}

/**
 * The column before which the pointer is, or null for the end; marks the place.
 *
 * @param {HTMLElement} th
 * @param {number} x
 */
function placeAt(th, x) {
  const heads = childrenOf(/** @type {Element} */ (th.parentElement)).filter(({ dataset }) =>
    isMovable(dataset.key ?? ''),
  );
  clearMarks(th);
  const next = heads.find((head) => {
    const { left, width } = head.getBoundingClientRect();
    return x < left + width / 2;
  });
  next?.classList.add('drop-before');
  if (!next) heads.at(-1)?.classList.add('drop-after');
  const key = next?.dataset.key ?? null;
  return key === th.dataset.key ? undefined : key;
}

/** @param {HTMLElement} th */
function clearMarks(th) {
  for (const head of childrenOf(/** @type {Element} */ (th.parentElement)))
    head.classList.remove('drop-before', 'drop-after');
}

/**
 * Change a column's width while the pointer is held.
 *
 * @param {PointerEvent} event that began it
 * @param {HTMLElement} edge
 * @param {(width: number) => void} resize called at the end
 */
export function startResizing(event, edge, resize) {
  const th = /** @type {HTMLElement} */ (edge.parentElement);
  const col = th.closest('table')?.querySelectorAll('col')[
    childrenOf(/** @type {Element} */ (th.parentElement)).indexOf(th)
  ];
  if (event.button !== 0 || !col) return;
  event.preventDefault();
  edge.classList.add('held');
  const start = event.clientX;
  const before = th.offsetWidth;
  let width = before;
  follow(
    (x) => {
      width = Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, before + x - start));
      col.style.width = `${width}px`;
    },
    () => {
      edge.classList.remove('held');
      if (width !== before) resize(width);
    },
  );
}

/**
 * @param {(x: number) => void} move
 * @param {() => void} end
 */
function follow(move, end) {
  const done = new AbortController();
  const { signal } = done;
  const finish = () => {
    done.abort();
    end();
  };
  document.addEventListener('pointermove', (event) => move(event.clientX), { signal });
  document.addEventListener('pointerup', finish, { signal });
  document.addEventListener('pointercancel', finish, { signal });
}
