// Characters, as Python counts them, and UTF-16 units, as JavaScript does.

/**
 * Turns places that the server has counted in characters into JavaScript's, which are UTF-16 units.
 *
 * @param {string} q
 * @returns {(place: number) => number}
 */
export function unitsBefore(q) {
  const characters = [...q];
  return (place) => characters.slice(0, place).join('').length;
}
