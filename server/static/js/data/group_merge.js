// What a new answer makes of items that are shown: new ones come in, those that are gone leave, the others stay where they
// are, so that nothing moves while it is being read.

/**
 * @template T
 * @param {T[]} shown
 * @param {T[]} fresh in the server's order
 * @param {(item: T) => string} keyOf
 * @returns {T[]} the fresh items; a new one follows the one that it follows in the server's order
 */
export function merged(shown, fresh, keyOf) {
  const byKey = new Map(fresh.map((item) => [keyOf(item), item]));
  const known = new Set(shown.map(keyOf));
  /** @type {Map<string | null, T[]>} new items by the known one before them */
  const after = new Map();
  /** @type {string | null} */
  let before = null;
  for (const item of fresh) {
    const key = keyOf(item);
    if (known.has(key)) before = key;
    else after.set(before, [...(after.get(before) ?? []), item]);
  }
  const kept = shown.map(keyOf).filter((key) => byKey.has(key));
  return [
    ...(after.get(null) ?? []),
    ...kept.flatMap((key) => [/** @type {T} */ (byKey.get(key)), ...(after.get(key) ?? [])]),
  ];
}
