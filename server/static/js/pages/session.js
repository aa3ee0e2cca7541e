// The entry point of a session's page: images by step, and updates while the session runs.
import { find, findAll } from '../ui/dom.js';
import { showTimes } from '../ui/times.js';
import { PAGE_HEADERS, reloadFor } from '../ui/upgrade.js';

const REFRESH_MS = 5000; // of a session that runs
const MAX_REFRESH_MS = 60_000;
const AT_END = 30; // pixels from the end of the console that count as its end

/** @type {WeakMap<HTMLElement, string>} the HTML of each part as the server sent it */
const sent = new WeakMap();
/** @type {HTMLElement} */
let root;

function start() {
  root = find(document, '.page.session');
  for (const part of partsOf(root)) prepare(part);
  setTimeout(() => refresh(REFRESH_MS), interval());
}

/** @param {HTMLElement} page */
const partsOf = (page) => findAll(page, '[data-part]');
const interval = () => (root.dataset.status === 'active' ? REFRESH_MS : MAX_REFRESH_MS);

/**
 * @param {HTMLElement} part
 * @returns {HTMLInputElement | null}
 */
const sliderOf = (part) => part.querySelector('input[type=range]');

/**
 * @param {HTMLElement} part
 * @returns {HTMLElement | null}
 */
const consoleOf = (part) => part.querySelector('.console');

/** @param {HTMLElement} part */
function prepare(part) {
  sent.set(part, part.outerHTML);
  showTimes(part);
  const output = consoleOf(part);
  if (output) output.scrollTop = output.scrollHeight;
  for (const image of part.querySelectorAll('img')) watchImage(image);
  const slider = sliderOf(part);
  slider?.addEventListener('input', () => showStep(part, Number(slider.value)));
}

/**
 * Mark an image while it is missing: its record may come before its content.
 *
 * @param {HTMLImageElement} image
 */
function watchImage(image) {
  const markMissing = () => image.classList.add('missing');
  image.addEventListener('error', markMissing);
  image.addEventListener('load', () => image.classList.remove('missing'));
  if (image.complete && !image.naturalWidth) markMissing();
}

/**
 * @param {HTMLElement} part
 * @param {number} index
 */
function showStep(part, index) {
  const steps = findAll(part, '[data-step]');
  steps.forEach((step, at) => {
    step.hidden = at !== index;
  });
  find(part, 'output').textContent = steps[index].dataset.step ?? '';
}

/**
 * Fetch the page again, and replace the parts that have changed.
 *
 * @param {number} pause milliseconds since the last time
 */
async function refresh(pause) {
  let next = Math.min(pause * 2, MAX_REFRESH_MS);
  try {
    if (!document.hidden) {
      const known = { 'If-None-Match': `"${root.dataset.version}"` };
      const response = await fetch(location.pathname, { headers: { ...PAGE_HEADERS, ...known } });
      for (const image of root.querySelectorAll('img')) {
        const { src } = image;
        if (image.classList.contains('missing')) image.src = src; // load it again
      }
      if (response.ok) update(new DOMParser().parseFromString(await response.text(), 'text/html'));
      if (response.ok || response.status === 304) next = interval();
    }
  } catch {
    // the server does not respond: try again later
  }
  setTimeout(() => refresh(next), document.hidden ? REFRESH_MS : next);
}

/** @param {Document} fresh */
function update(fresh) {
  const page = fresh.querySelector('.page.session');
  if (!(page instanceof HTMLElement)) return;
  reloadFor(fresh.documentElement.dataset.version, () => partsOf(root).some(isInUse));
  const known = new Map(partsOf(root).map((part) => [part.dataset.part, part]));
  /** @type {HTMLElement | null} */
  let before = null;
  let isLate = false;
  for (const part of partsOf(page)) {
    const old = known.get(part.dataset.part);
    known.delete(part.dataset.part);
    const isSame = old !== undefined && sent.get(old) === part.outerHTML;
    if (old && (isSame || isInUse(old))) {
      isLate ||= !isSame;
      before = old;
      continue;
    }
    const output = old && consoleOf(old);
    const scrollTop = output && !isAtEnd(output) ? output.scrollTop : null;
    if (old) old.replaceWith(part);
    else if (before) before.after(part);
    else root.prepend(part);
    prepare(part);
    const newOutput = consoleOf(part);
    if (newOutput && scrollTop !== null) newOutput.scrollTop = scrollTop;
    before = part;
  }
  for (const gone of known.values()) gone.remove();
  if (isLate) return; // a part in use was left as it is: the same version is fetched again
  root.dataset.version = page.dataset.version;
  root.dataset.status = page.dataset.status;
}

/**
 * Whether the user has selected text in a part, opened something, or looks at another step than the last.
 *
 * @param {HTMLElement} part
 */
function isInUse(part) {
  const selection = getSelection();
  if (selection && !selection.isCollapsed && part.contains(selection.anchorNode)) return true;
  const slider = sliderOf(part);
  return part.querySelector('details[open]') !== null || (slider !== null && slider.value !== slider.max);
}

/** @param {HTMLElement} box */
const isAtEnd = (box) => box.scrollTop + box.clientHeight > box.scrollHeight - AT_END;

start();
