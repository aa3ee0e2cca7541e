// A card: all graphs of one title among the selected sessions and groups, overlaid in one chart.
import { hiddenIn, toggleLine, toggleWidth } from '../data/card_state.js';
import { MINUS, nearestIndex, PLUS, toColumns } from '../data/line.js';
import { layerOf, requestGraph, setWidth } from '../data/series_store.js';
import { bestOf, firstNonFinite, shortTag, tagOf } from '../data/session.js';
import { palette, sessions, state } from '../data/store.js';
import { childrenOf, make } from '../ui/dom.js';
import { number, whole } from '../ui/format.js';
import { assignDashes, isHeldOut } from '../ui/palette.js';
import { Chart } from './chart.js';
import { displayLine } from './display_line.js';
import { drawLegend, generatedText, shortName } from './legend.js';
import { smooth } from './smoothing.js';
import { flagsText, hideTooltip, showTooltip } from './tooltip.js';
import { positionsOf } from './x_axis.js';
import { xRange, yRange } from './y_axis.js';

/** @import { Graph, Session } from '../data/session.js' */
/** @import { Dash } from '../ui/palette.js' */
/** @import { DrawnLine } from './canvas.js' */
/** @import { GroupPart } from './group_part.js' */
/** @import { Extent } from './y_axis.js' */

/** @typedef {{session: string, graph: string}} GraphRef ids */
/** @typedef {{session: Session, graph: Graph}} GraphRecord */
/** @typedef {(session: Session) => string} Labeller */

const GROW_ICON =
  '<svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path d="M9.5 2.5h4v4M6.5 13.5h-4v-4M13.5 2.5 9 7M2.5 13.5 7 9" fill="none" stroke="currentColor" stroke-width="1.4"/></svg>';

export class ChartCard {
  /** @param {string} title of its graphs */
  constructor(title) {
    this.title = title;
    /** @type {GraphRef[]} */
    this.graphs = [];
    /** @type {GroupPart | null} */
    this.groups = null;
    /** @type {Set<string>} keys of the legend's entries that are switched off */
    this.hidden = new Set();
    this.isVisible = false;
    /** @type {Chart | null} */
    this.chart = null;

    const heading = make('h2', { title, textContent: title || 'untitled' });
    this.facts = make('span', { className: 'facts' });
    this.warning = make('span', { className: 'broken' });
    const grow = make('button', { type: 'button', className: 'icon grow', title: 'Whole width' });
    Object.assign(grow, { innerHTML: GROW_ICON, ariaPressed: 'false', ariaLabel: 'Whole width' });
    this.legend = make('div', { className: 'legend' });
    this.plot = make('div', { className: 'plot', role: 'img', ariaLabel: `Chart of ${title}` });
    this.plot.append(make('div', { className: 'skeleton' }));
    this.notice = make('p', { className: 'card-notice', hidden: true });
    const head = make('header', { className: 'card-head' }, heading, this.facts, this.warning);
    this.element = make('article', { className: 'card' }, head, grow, this.legend, this.notice, this.plot);
    this.element.dataset.graphTitle = title;
    grow.addEventListener('click', () => toggleWidth(title));
    this.grow = grow;
    this.plot.addEventListener('mouseleave', hideTooltip);
    // for tests and the console
    Object.assign(this.element, { losswise: Object.freeze({ data: () => this.data() }) });
  }

  /**
   * @param {GraphRef[]} graphs
   * @param {GroupPart | null} groups
   */
  setGraphs(graphs, groups) {
    this.graphs = graphs;
    this.groups = groups;
    if (this.isVisible) this.request();
  }

  /**
   * Tell the card whether it is in sight. Other cards are neither fetched nor drawn.
   *
   * @param {boolean} isVisible
   */
  setVisible(isVisible) {
    this.isVisible = isVisible;
    if (isVisible) this.request();
    else this.groups?.want(null);
  }

  request() {
    const width = Math.max(200, this.plot.clientWidth - 40);
    setWidth(width);
    this.groups?.want(width);
    for (const { session, graph } of this.graphs) requestGraph(graph, session);
  }

  /** @returns {GraphRecord[]} the graphs that are loaded */
  get records() {
    return this.graphs.flatMap((ref) => {
      const session = sessions.get(ref.session);
      const graph = session?.graphs.find((one) => one.id === ref.graph);
      return session && graph ? [{ session, graph }] : [];
    });
  }

  draw() {
    this.hidden = hiddenIn(this.title);
    const isWide = state.wide.includes(this.title);
    this.element.classList.toggle('whole', isWide);
    this.grow.ariaPressed = String(isWide);
    if (!this.isVisible) return;
    const { records, groups } = this;
    const named = records.flatMap(({ graph }) => [...graph.names, ...(layerOf(graph.id)?.lines.keys() ?? [])]);
    const names = [...new Set([...named, ...(groups?.names ?? [])])];
    const dashes = assignDashes(names);
    const labelOf = labeller(records.map(({ session }) => session));
    this.drawFacts(records);
    this.drawWarning(records);
    drawLegend(this.legend, {
      sessions: records.map(({ session }) => session),
      groups: groups?.legend ?? [],
      names,
      dashes,
      labelOf,
      nameLabel: (name) => shortName(name, this.title),
      hidden: this.hidden,
      toggle: (key) => toggleLine(this.title, key),
    });
    const nameLabel = (/** @type {string} */ name) => (names.length === 1 ? '' : shortName(name, this.title));
    const means = groups?.lines(this.hidden, dashes, nameLabel) ?? [];
    this.drawPlot([...this.lines(records, names, dashes, labelOf), ...means], records);
  }

  /**
   * @param {GraphRecord[]} records
   * @param {string[]} names
   * @param {Map<string, Dash>} dashes
   * @param {Labeller} labelOf
   */
  lines(records, names, dashes, labelOf) {
    /** @type {DrawnLine[]} */
    const lines = [];
    for (const { session, graph } of records) {
      if (this.hidden.has(`s:${session.id}`)) continue;
      for (const name of names) {
        const stored = layerOf(graph.id)?.lines.get(name);
        if (!stored?.x.length || this.hidden.has(`n:${name}`)) continue;
        const line = displayLine(stored, state.xMode);
        const positions = positionsOf(line, session, state.xMode);
        if (!positions) continue;
        const short = shortName(name, this.title);
        const label = names.length === 1 || !short ? labelOf(session) : `${labelOf(session)} ${short}`;
        lines.push({
          positions,
          line,
          color: palette.color(session.id),
          dash: dashes.get(name) ?? [],
          live: session.status === 'active',
          firstBad: graph.stats?.[name]?.nan_x ?? null,
          smoothed: state.smooth > 0 ? smooth(line.mid, state.smooth) : null,
          label: records.length === 1 && !this.groups ? short || name : label,
        });
      }
    }
    return lines;
  }

  /**
   * @param {DrawnLine[]} lines
   * @param {GraphRecord[]} records
   */
  drawPlot(lines, records) {
    const { groups } = this;
    const isLoading = records.some(({ graph }) => layerOf(graph.id) === null) || groups?.isLoading;
    const notice = groups?.notice ?? '';
    this.notice.hidden = !notice || !lines.length;
    this.notice.textContent = notice;
    const { zoom, logY } = state;
    const all = xRange(lines);
    const nothing = notice || (this.hidden.size ? 'Every line is hidden' : 'No points yet');
    if (!all) return this.showNothing(isLoading ? null : nothing);
    const isZoomed = zoom !== null && zoom.max >= all[0] && zoom.min <= all[1];
    // a finer layer holds only its window, so the zoom says what is visible
    /** @type {Extent} */
    const x = zoom && (isZoomed || lines.some(({ line }) => !line.exact)) ? [zoom.min, zoom.max] : all;
    const y = yRange(lines, x, logY);
    const hasMarks = lines.some(({ line }) => line.bad.some(Boolean));
    if (!y && !hasMarks && !isZoomed)
      return this.showNothing(logY ? 'No value above zero to show on a log axis' : 'No points yet');
    if (!this.chart) {
      this.plot.replaceChildren();
      this.chart = new Chart(this.plot, (chart) =>
        showTooltip(chart, this.records[0]?.graph.xlabel ?? this.groups?.xlabel),
      );
    }
    this.chart.show(lines, x, y ?? (logY ? [0.1, 1] : [0, 1]));
  }

  /**
   * Show a text in place of the chart, or a placeholder while points are loading.
   *
   * @param {string | null} text
   */
  showNothing(text) {
    this.chart?.destroy();
    this.chart = null;
    const className = text === null ? 'skeleton' : 'nothing';
    const [only, ...others] = childrenOf(this.plot);
    if (others.length || only?.className !== className || only.textContent !== (text ?? ''))
      this.plot.replaceChildren(make('div', { className, textContent: text ?? '' }));
  }

  /** @param {GraphRecord[]} records */
  drawFacts(records) {
    const { facts } = this;
    const kind = records.map(({ graph }) => graph.kind).find((one) => one !== null) ?? this.groups?.kind ?? null;
    const label = records.map(({ graph }) => graph.ylabel).find((text) => text && text !== this.title);
    const best = kind && bestOf(records, kind, isHeldOut);
    const key = JSON.stringify([label, kind, best && [best.value, best.name, best.session.id, best.session.tag]]);
    if (facts.dataset.key === key) return;
    facts.dataset.key = key;
    facts.replaceChildren(kind ?? '');
    if (best) {
      const owner = records.length > 1 ? generatedText(shortTag(best.session)) : best.name;
      facts.append(' · best ', make('b', {}, number(best.value)), ' ', owner);
    }
    if (label) facts.append(kind ? ' · ' : '', label);
    const inFull = best && `${kind} · best ${best.value}, ${best.name} of ${tagOf(best.session)}`;
    facts.title = [inFull, label].filter(Boolean).join(' · ');
  }

  /**
   * Say where values are not finite.
   *
   * @param {GraphRecord[]} records
   */
  drawWarning(records) {
    const found = records.flatMap(({ session, graph }) => {
      const first = firstNonFinite(graph);
      return first ? [{ session, text: `${nonFiniteText(graph.id, first)} at ${whole(first.x)}` }] : [];
    });
    const title = found.map(({ session, text }) => `${tagOf(session)}: ${text}`).join('\n');
    const tag = found.length && records.length > 1 ? shortTag(found[0].session, 16) : '';
    const suffix = tag + (found.length > 1 ? ` +${found.length - 1}` : '');
    if (this.warning.dataset.key === title + suffix) return;
    this.warning.dataset.key = title + suffix;
    this.warning.title = title;
    this.warning.replaceChildren(found.length ? `▲ ${found[0].text}` : '');
    if (suffix) this.warning.append(' ', generatedText(suffix));
  }

  /** What the chart draws, in the format of the read API: {session: {metric: columns}}, and of groups {'g:QUERY': ...}. */
  data() {
    const lines = Object.fromEntries(
      this.graphs.flatMap(({ session, graph }) => {
        const layer = layerOf(graph);
        if (!layer) return [];
        return [[session, Object.fromEntries([...layer.lines].map(([name, line]) => [name, toColumns(line)]))]];
      }),
    );
    return { ...lines, ...this.groups?.data() };
  }

  remove() {
    this.chart?.destroy();
    this.element.remove();
  }
}

/**
 * 'NaN', or which infinity if the points are here.
 *
 * @param {string} graph
 * @param {{name: string, x: number}} first
 */
function nonFiniteText(graph, { name, x }) {
  const line = layerOf(graph)?.lines.get(name);
  const at = line ? nearestIndex(line.x, x) : -1;
  const flags = line?.x[at] === x ? line.bad[at] : 0;
  return flags & (PLUS | MINUS) ? flagsText(flags) : 'NaN';
}

/**
 * Name sessions by their tags, with the start of the id if two have the same.
 *
 * @param {Session[]} all
 * @returns {Labeller}
 */
function labeller(all) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const session of all) counts.set(tagOf(session), (counts.get(tagOf(session)) ?? 0) + 1);
  return (session) =>
    (counts.get(tagOf(session)) ?? 0) > 1
      ? `${shortTag(session, 18)} ${session.id.slice(0, 4)}`
      : shortTag(session, 24);
}
