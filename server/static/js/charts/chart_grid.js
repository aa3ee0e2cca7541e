// All cards: which graphs the selected sessions have, which cards are visible, when each is drawn.
import { on, selectedSessions, state } from '../data/store.js';
import { byId } from '../ui/dom.js';
import { ChartCard } from './chart_card.js';
import { showEmptyCharts } from './empty_charts.js';
import { hideTooltip } from './tooltip.js';

/** @import { Session } from '../data/session.js' */
/** @import { GraphRef } from './chart_card.js' */
/** @import { GroupSource } from './group_cards.js' */

/** @type {Map<string, ChartCard>} by title */
const cards = new Map();
/** @type {Set<ChartCard>} */
const dirty = new Set();
/** @type {Session[]} the sessions that the cards show */
let shown = [];
/** @type {GroupSource | null} the groups of sessions, once one is shown */
let groups = null;
let drawFrame = 0;
let arrangeFrame = 0;
/** @type {IntersectionObserver} */
let observer;

export function start() {
  observer = new IntersectionObserver(
    (changes) => {
      for (const { target, isIntersecting } of changes) {
        const card = [...cards.values()].find(({ element }) => element === target);
        card?.setVisible(isIntersecting);
        if (card && isIntersecting) drawSoon(card);
      }
    },
    { rootMargin: '150px 0px' },
  );
  on('selection', arrange);
  on('session', (session) => {
    if (state.selected.includes(session.id)) arrangeSoon();
  });
  on('series', (graphs) => {
    const changed = new Set(graphs);
    for (const card of cards.values()) if (card.graphs.some(({ graph }) => changed.has(graph))) drawSoon(card);
  });
  on('zoom', () => {
    hideTooltip();
    drawAllSoon();
  });
  on('view', (changes) => {
    if ('graphFilter' in changes) arrange();
    if (Object.keys(changes).some((name) => name !== 'graphFilter')) drawAllSoon();
  });
  addEventListener('losswise:theme', () => {
    for (const card of cards.values()) card.chart?.redraw();
    drawAllSoon();
  });
  byId('charts-pane').addEventListener('scroll', hideTooltip, { passive: true });
}

/**
 * Show groups of sessions from now on.
 *
 * @param {GroupSource} source
 */
export function showGroups(source) {
  groups = source;
  on('groupseries', ({ title }) => {
    const card = cards.get(title);
    if (card) drawSoon(card);
  });
  for (const name of /** @type {const} */ (['groups', 'groupgraphs'])) on(name, arrangeAll);
  arrangeAll();
}

function arrangeAll() {
  arrangeCards(selectedSessions());
  arrange();
}

/** @param {ChartCard} card */
function drawSoon(card) {
  dirty.add(card);
  drawFrame ||= requestAnimationFrame(() => {
    drawFrame = 0;
    const now = [...dirty];
    dirty.clear();
    for (const one of now) one.draw();
  });
}

function drawAllSoon() {
  for (const card of cards.values()) drawSoon(card);
}

// live changes of several sessions are one arrangement
function arrangeSoon() {
  arrangeFrame ||= requestAnimationFrame(() => {
    arrangeFrame = 0;
    arrange();
  });
}

/** Make, keep and remove cards for the selected sessions, if one of them has changed. */
export function arrange() {
  const loaded = selectedSessions();
  const isSame = loaded.length === shown.length && loaded.every((session, at) => session === shown[at]);
  if (!isSame) arrangeCards(loaded);
  shown = loaded;
  filter();
  showEmptyCharts({
    selected: state.selected.length,
    loaded: loaded.length,
    groups: state.groups.length,
    pending: groups?.isPending ?? state.groups.length > 0,
    cards: cards.size,
    allHidden: [...cards.values()].every(({ element }) => element.hidden),
  });
}

/**
 * Cards keep their order; new ones come last.
 *
 * @param {Session[]} loaded
 */
function arrangeCards(loaded) {
  /** @type {Map<string, GraphRef[]>} */
  const byTitle = new Map([...cards.keys()].map((title) => [title, []]));
  for (const session of loaded) {
    for (const { title, id } of session.graphs ?? []) {
      const graphs = byTitle.get(title) ?? [];
      byTitle.set(title, graphs);
      graphs.push({ session: session.id, graph: id });
    }
  }
  for (const title of groups?.titles ?? []) if (!byTitle.has(title)) byTitle.set(title, []);
  for (const [title, graphs] of byTitle) {
    if (graphs.length || groups?.titles.has(title)) showCard(title, graphs);
    else removeCard(title);
  }
}

/**
 * @param {string} title
 * @param {GraphRef[]} graphs
 */
function showCard(title, graphs) {
  let card = cards.get(title);
  if (!card) {
    card = new ChartCard(title);
    cards.set(title, card);
    byId('charts').append(card.element);
    observer.observe(card.element);
  }
  card.setGraphs(graphs, groups?.partOf(title, card.groups) ?? null);
  drawSoon(card);
}

/** @param {string} title */
function removeCard(title) {
  const card = cards.get(title);
  if (!card) return;
  observer.unobserve(card.element);
  card.remove();
  cards.delete(title);
  dirty.delete(card);
}

function filter() {
  const words = state.graphFilter.toLowerCase().split(/\s+/).filter(Boolean);
  for (const [title, { element }] of cards) element.hidden = !words.every((word) => title.toLowerCase().includes(word));
}
