// Addresses in relation to each other: what differs from that of a saved view, and what fits into an address bar.

const WITHOUT = 'without'; // names what the view has and this does not
const PLAIN = 'x=step'; // what an empty address shows

/**
 * An address's parameters as text, without the escapes that are not needed.
 *
 * @param {URLSearchParams} address
 */
export const textOf = (address) => address.toString().replace(/%(28|29|2C|3A|2F)/g, decodeURIComponent);

/** @param {string} search */
const parsed = (search) => new URLSearchParams(search || PLAIN);

/**
 * What `overlay` needs to turn the address of a view into another one; '' if they show the same.
 *
 * @param {string} base from '?' on, as the others
 * @param {string} search
 */
export function difference(base, search) {
  const [from, to] = [parsed(base), parsed(search)];
  const result = new URLSearchParams();
  for (const name of new Set(to.keys())) {
    const values = to.getAll(name);
    if (JSON.stringify(values) !== JSON.stringify(from.getAll(name)))
      for (const value of values) result.append(name, value);
  }
  const gone = [...new Set(from.keys())].filter((name) => !to.has(name));
  if (gone.length) result.set(WITHOUT, gone.join());
  return textOf(result);
}

/**
 * The address of a view with the changes that `difference` gave.
 *
 * @param {string} base
 * @param {string} changes
 */
export function overlay(base, changes) {
  const [result, own] = [parsed(base), new URLSearchParams(changes)];
  for (const name of own.get(WITHOUT)?.split(',') ?? []) result.delete(name);
  own.delete(WITHOUT);
  for (const name of new Set(own.keys())) {
    result.delete(name);
    for (const value of own.getAll(name)) result.append(name, value);
  }
  return `?${textOf(result)}`;
}

/**
 * As much of an address as fits: the selected sessions are the first to be left out, since they may be hundreds.
 *
 * @param {string} search
 * @param {number} length
 */
export function shortened(search, length) {
  const entries = [...new URLSearchParams(search)];
  let text = '';
  const kept = new Set();
  for (const pass of [false, true])
    entries.forEach(([name, value], at) => {
      const entry = textOf(new URLSearchParams([[name, value]]));
      if ((name === 's') !== pass || text.length + entry.length >= length) return;
      text += `&${entry}`;
      kept.add(at);
    });
  return `?${textOf(new URLSearchParams(entries.filter((_, at) => kept.has(at))))}`;
}
