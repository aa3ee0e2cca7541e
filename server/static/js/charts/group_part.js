// What groups of sessions are in a card: lines with bands, entries of the legend, rows of the tooltip.
import { errorOf, layerOf, want } from '../data/group_series.js';
import { palette, state } from '../data/store.js';
import { number, whole } from '../ui/format.js';
import { bandLine, deviation, groupPositions, smoothBand, whyNot } from './band.js';
import { smooth } from './smoothing.js';

/** @import { GroupColumns, GroupGraph } from '../data/group_series_api.js' */
/** @import { GroupLayer } from '../data/group_series.js' */
/** @import { Group } from '../data/address.js' */
/** @import { Dash } from '../ui/palette.js' */
/** @import { DrawnLine } from './canvas.js' */
/** @import { LegendGroup } from './legend.js' */

/** @typedef {{group: Group, graph: GroupGraph}} CardGroup a group that has a graph of the card's title */

const MEAN_WIDTH = 2.2; // pixels: a mean is told from a session's line

/**
 * The groups of one card.
 */
export class GroupPart {
  /** @param {string} title */
  constructor(title) {
    this.title = title;
    /** @type {CardGroup[]} */
    this.groups = [];
  }

  /**
   * Have the groups' series, while the card is in sight.
   *
   * @param {number | null} width of the chart in pixels; null if it is out of sight
   */
  want(width) {
    for (const { group } of this.groups) want(group.q, this.title, width);
  }

  /** @returns {{group: Group, key: string, layer: GroupLayer}[]} those whose series are here */
  get loaded() {
    return this.groups.flatMap(({ group }) => {
      const layer = layerOf(group.q, this.title);
      return layer ? [{ group, key: `g:${group.q}`, layer }] : [];
    });
  }

  get isLoading() {
    return this.groups.some(({ group }) => !layerOf(group.q, this.title) && !errorOf(group.q, this.title));
  }

  /** The names of the groups' metrics. */
  get names() {
    return this.loaded.flatMap(({ layer }) => [...layer.series.keys()]);
  }

  get kind() {
    return this.groups.map(({ graph }) => graph.kind).find((kind) => kind !== null) ?? null;
  }

  get xlabel() {
    return this.groups.map(({ graph }) => graph.xlabel).find(Boolean);
  }

  /** What is not drawn, and why; '' if all is. */
  get notice() {
    const error = this.groups.map(({ group }) => errorOf(group.q, this.title)).find(Boolean);
    if (error) return error;
    const isMissing = this.loaded.some(({ layer }) => !groupPositions([], state.xMode, layer.steps));
    return isMissing ? whyNot(state.xMode) : '';
  }

  /** @returns {LegendGroup[]} */
  get legend() {
    return this.groups.map(({ group }) => {
      const layer = layerOf(group.q, this.title);
      return {
        key: `g:${group.q}`,
        text: layer ? `${group.label} · ${countText(layer)}` : group.label,
        title: group.q,
        color: palette.color(`g:${group.q}`),
      };
    });
  }

  /**
   * @param {Set<string>} hidden keys of the legend's entries that are switched off
   * @param {Map<string, Dash>} dashes by metric
   * @param {(name: string) => string} nameLabel '' for a name that needs none
   * @returns {DrawnLine[]}
   */
  lines(hidden, dashes, nameLabel) {
    return this.loaded.flatMap(({ group, key, layer }) => {
      if (hidden.has(key)) return [];
      return [...layer.series].flatMap(([name, columns]) => {
        const positions = groupPositions(columns.x, state.xMode, layer.steps);
        if (!positions || hidden.has(`n:${name}`)) return [];
        const raw = bandLine(columns, state.band, layer.size === 1);
        const line = smoothBand(raw, state.band, state.smooth);
        const smoothed = state.smooth > 0 ? smooth(line.mid, state.smooth) : null;
        return [
          {
            positions,
            line,
            color: palette.color(key),
            dash: dashes.get(name) ?? [],
            live: layer.active > 0,
            firstBad: null,
            smoothed,
            label: `${group.label} ${nameLabel(name)}`.trim(),
            width: MEAN_WIDTH,
            facts: (/** @type {number} */ at) => factsAt(columns, at, smoothed !== null),
          },
        ];
      });
    });
  }

  /** What is drawn, in the format of the API: {'g:QUERY': {metric: columns}}. */
  data() {
    return Object.fromEntries(this.loaded.map(({ key, layer }) => [key, Object.fromEntries(layer.series)]));
  }
}

/** @param {GroupLayer} layer */
function countText({ sessions, used }) {
  if (used < sessions) return `${whole(used)} of ${whole(sessions)} sessions`;
  return sessions === 1 ? '1 session' : `${whole(sessions)} sessions`;
}

/**
 * What the tooltip tells of a group beside the value that is drawn.
 *
 * @param {GroupColumns} columns
 * @param {number} at
 * @param {boolean} isSmoothed whether the value that is drawn is not the mean itself
 * @returns {{spread: string, more: string}}
 */
function factsAt(columns, at, isSmoothed) {
  const { n, mean, min, max, nan, inf } = columns;
  const kind = state.band === 'se' ? 'se' : 'sd';
  const off = deviation(columns, kind, at);
  const spread = off === null ? '' : `± ${number(off)}${kind === 'se' ? ' (s.e.)' : ''}`;
  const left = nan[at] + inf[at];
  const more = [
    isSmoothed && `mean ${number(mean[at])}`,
    n[at] > 0 && `${number(min[at])} to ${number(max[at])}`,
    `n ${whole(n[at])}`,
    left > 0 && `${whole(left)} not finite`,
  ];
  return { spread, more: more.filter(Boolean).join(' · ') };
}
