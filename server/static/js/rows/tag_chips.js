// Tags as coloured chips: a tag has the same colour everywhere.

import { make } from '../ui/dom.js';
import { COLORS } from '../ui/palette.js';

/**
 * @param {string} tag
 */
export function tagColor(tag) {
  let hash = 0;
  for (const character of tag) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return COLORS[hash % COLORS.length];
}

/** @param {string} tag */
export function tagChip(tag) {
  const chip = make('span', { className: 'tag-chip', title: tag }, make('span', {}, tag));
  chip.style.setProperty('--tag', tagColor(tag));
  return chip;
}
