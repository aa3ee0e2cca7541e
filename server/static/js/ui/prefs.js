// Preferences that are kept in this browser, or for the page's life if storage is switched off.

/** @type {Map<string, unknown>} */
const memory = new Map();

/**
 * @template T
 * @param {string} name
 * @param {T} fallback
 * @returns {T}
 */
export function readPref(name, fallback) {
  const remembered = /** @type {T | undefined} */ (memory.get(name)) ?? fallback;
  try {
    const text = localStorage.getItem(`losswise.${name}`);
    return text === null ? remembered : JSON.parse(text);
  } catch {
    return remembered;
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 */
export function writePref(name, value) {
  memory.set(name, value);
  try {
    localStorage.setItem(`losswise.${name}`, JSON.stringify(value));
  } catch {
    // kept in memory
  }
}
