// A session has one colour everywhere; a quantity has a dash.
import { readPref, writePref } from './prefs.js';

const BASE = [
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

// Solid, then patterns that differ at a glance. Validation takes the second whatever its place.
const DASHES = [[], [5, 3], [1.5, 3], [9, 3, 1.5, 3], [12, 4], [5, 3, 1.5, 3, 1.5, 3]];
const HELD_OUT = /(^|[^a-z])(val|valid|validation|test|eval|dev|holdout)([^a-z]|$)/i;

/** The nth session's colour: ten hues, then the same hues away from the background, and on from there. */
export function paint(slot) {
  const base = BASE[slot % BASE.length];
  const round = Math.floor(slot / BASE.length);
  if (round === 0) return base;
  const away = document.documentElement.dataset.theme === 'dark' ? 1 : -1;
  return shade(base, away * Math.min(0.65, 0.25 + 0.15 * round));
}

function shade(hex, by) {
  const target = by < 0 ? 0 : 255;
  const part = (at) => {
    const value = parseInt(hex.slice(at, at + 2), 16);
    return Math.round(value + (target - value) * Math.abs(by))
      .toString(16)
      .padStart(2, '0');
  };
  return `#${part(1)}${part(3)}${part(5)}`;
}

/** Gives colours to sessions, and the same one again after a reload. */
export class Palette {
  constructor() {
    this.pref = '';
    this.slots = new Map();
  }

  /** Take the colours that the sessions of this project had before. */
  load(project) {
    this.pref = `colors.${project}`;
    this.slots = new Map(readPref(this.pref, []));
  }

  /** Take the lowest free slots for these sessions; the others' are free again. */
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

  color(id) {
    return paint(this.slots.get(id) ?? 0);
  }
}

export const isHeldOut = (name) =>
  HELD_OUT.test(name.replace(/([a-z])([A-Z])/g, '$1_$2').replaceAll('_', ' '));

/** The dash of each name of a chart: {name: [on, off, ...]}. */
export function dashes(names) {
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
