// One session's page: images by step, and what is new while the session runs.
import { showTimes } from '../ui/times.js';
import { reloadFor } from '../ui/upgrade.js';

const EVERY = 5_000;
const SLOWEST = 60_000;
let root;

export function start() {
  root = document.querySelector('.page.session');
  for (const part of root.querySelectorAll('[data-part]')) prepare(part);
  setTimeout(refresh, root.dataset.status === 'active' ? EVERY : SLOWEST, EVERY);
}

/** Whatever a part needs beside its HTML. */
function prepare(part) {
  part.html = part.outerHTML;
  showTimes(part);
  const console = part.querySelector('.console');
  if (console) console.scrollTop = console.scrollHeight;
  for (const image of part.querySelectorAll('.images img')) watch(image);
  const slider = part.querySelector('input[type=range]');
  slider?.addEventListener('input', () => showStep(part, Number(slider.value)));
}

/** An image's bytes may come after its record. */
function watch(image) {
  const miss = () => image.classList.add('missing');
  image.addEventListener('error', miss);
  image.addEventListener('load', () => image.classList.remove('missing'));
  if (image.complete && !image.naturalWidth) miss();
}

function showStep(part, place) {
  const steps = [...part.querySelectorAll('[data-step]')];
  steps.forEach((step, number) => (step.hidden = number !== place));
  part.querySelector('output').textContent = steps[place].dataset.step;
}

/** Ask for the page again, and put in the parts that have changed. What somebody reads or moves stays. */
async function refresh(pause) {
  let next = Math.min(pause * 2, SLOWEST);
  try {
    if (!document.hidden) {
      const known = { 'If-None-Match': `"${root.dataset.version}"` };
      const response = await fetch(location.pathname, { headers: known });
      for (const image of root.querySelectorAll('img.missing')) image.setAttribute('src', image.src);
      if (response.ok) update(new DOMParser().parseFromString(await response.text(), 'text/html'));
      if (response.ok || response.status === 304) next = root.dataset.status === 'active' ? EVERY : SLOWEST;
    }
  } catch {
    // the server is away; it is asked again, less often
  }
  setTimeout(refresh, document.hidden ? EVERY : next, next);
}

function update(fresh) {
  const page = fresh.querySelector('.page.session');
  if (!page) return;
  reloadFor(fresh.documentElement.dataset.version, () => [...root.querySelectorAll('[data-part]')].some(isInUse));
  const known = new Map([...root.querySelectorAll('[data-part]')].map((part) => [part.dataset.part, part]));
  let before = null;
  let isLate = false;
  for (const part of page.querySelectorAll('[data-part]')) {
    const old = known.get(part.dataset.part);
    known.delete(part.dataset.part);
    const isSame = old && old.html === part.outerHTML;
    if (old && (isSame || isInUse(old))) {
      isLate ||= !isSame;
      before = old;
      continue;
    }
    const scrolled = old?.querySelector('.console');
    const place = scrolled && !isAtEnd(scrolled) ? scrolled.scrollTop : null;
    if (old) old.replaceWith(part);
    else if (before) before.after(part);
    else root.prepend(part);
    prepare(part);
    if (place !== null) part.querySelector('.console').scrollTop = place;
    before = part;
  }
  for (const gone of known.values()) gone.remove();
  if (isLate) return; // asked for again, until nobody is in the way
  root.dataset.version = page.dataset.version;
  root.dataset.status = page.dataset.status;
}

/** Somebody has marked text in it, opened something, or looks at another step than the last. */
function isInUse(part) {
  const selection = getSelection();
  if (!selection.isCollapsed && part.contains(selection.anchorNode)) return true;
  const slider = part.querySelector('input[type=range]');
  return Boolean(part.querySelector('details[open]')) || (slider && slider.value !== slider.max);
}

const isAtEnd = (box) => box.scrollTop + box.clientHeight > box.scrollHeight - 30;

start();
