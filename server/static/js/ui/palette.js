// Colors and dashes of lines: a session has one color everywhere, a metric has one dash in a chart.
import { readPref, writePref } from './prefs.js';

export const COLORS = [
  '#4269d0',
  '#efb118',
  '#ff725c',
  '#3ca951',
  '#a463f2',
  '#6cc5b0',
  '#ff8ab7',
  '#9c6b4e',
  '#97bbf5',
  '#9498a0',
];

/** @typedef {number[]} Dash lengths of strokes and gaps in CSS pixels; empty for a solid line */

/** @type {Dash[]} */
const DASHES = [[], [5, 3], [1.5, 3], [9, 3, 1.5, 3], [12, 4], [5, 3, 1.5, 3, 1.5, 3]];
const HELD_OUT = /(^|[^a-z])(val|valid|validation|test|eval|dev|holdout)([^a-z]|$)/;

/**
 * The color of the nth session: ten hues, then the same hues shifted away from the background.
 *
 * @param {number} slot
 * @param {boolean} isDark
 */
export function colorOf(slot, isDark) {
  const base = COLORS[slot % COLORS.length];
  const round = Math.floor(slot / COLORS.length);
  return round === 0 ? base : mix(base, isDark ? 255 : 0, Math.min(0.65, 0.25 + 0.15 * round));
}

/**
 * @param {string} color #rrggbb
 * @param {number} target 0 for black, 255 for white
 * @param {number} share of the target, from 0 to 1
 */
function mix(color, target, share) {
  const parts = [1, 3, 5].map((at) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16);
    return Math.round(value + (target - value) * share)
      .toString(16)
      .padStart(2, '0');
  });
  return `#${parts.join('')}`;
}

/** Gives colors to the selected sessions, the same ones after a reload. */
export class Palette {
  constructor() {
    this.pref = '';
    /** @type {Map<string, number>} */
    this.slots = new Map();
  }

  /**
   * Restore the colors that sessions of this project had before.
   *
   * @param {string} project
   */
  load(project) {
    this.pref = `colors.${project}`;
    this.slots = new Map(readPref(this.pref, []));
  }

  /**
   * Give these sessions the lowest free slots, and free those of all others.
   *
   * @param {string[]} ids
   */
  assign(ids) {
    const taken = new Set();
    for (const id of ids) {
      const slot = this.slots.get(id);
      if (slot === undefined || taken.has(slot)) this.slots.delete(id);
      else taken.add(slot);
    }
    for (const id of ids) {
      if (this.slots.has(id)) continue;
      let slot = 0;
      while (taken.has(slot)) slot += 1;
      taken.add(slot);
      this.slots.set(id, slot);
    }
    for (const id of this.slots.keys()) if (!ids.includes(id)) this.slots.delete(id);
    if (this.pref) writePref(this.pref, [...this.slots]);
  }

  /** @param {string} id */
  color(id) {
    return colorOf(this.slots.get(id) ?? 0, document.documentElement.dataset.theme === 'dark');
  }
}

/**
 * Whether a metric is measured on held-out data, judging by its name: val_loss, testAccuracy.
 *
 * @param {string} name
 */
export const isHeldOut = (name) => HELD_OUT.test(name.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase());

/**
 * Assign dashes to the metrics of a chart. Held-out metrics are dashed, the first of the others is solid.
 *
 * @param {string[]} names
 * @returns {Map<string, Dash>}
 */
export function assignDashes(names) {
  const result = new Map();
  let next = 0;
  let heldOut = 1;
  for (const name of names) {
    if (isHeldOut(name)) {
      result.set(name, DASHES[heldOut % DASHES.length]);
      heldOut += 2;
    } else {
      result.set(name, DASHES[next % DASHES.length]);
      next += 2;
    }
  }
  return result;
}
