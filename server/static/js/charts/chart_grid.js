// All cards: which titles the selected sessions have, which cards are in sight, when each is drawn.
import { setWindows } from '../data/series_store.js';
import { on, sessions, state } from '../data/store.js';
import { Card } from './chart_card.js';
import { absentCharts } from './empty_charts.js';
import { hide } from './tooltip.js';
import { windowOf } from './x_axis.js';

const cards = new Map();
const dirty = new Set();
let arranged = [];
let frame = 0;
let seen = null;

function drawSoon(card) {
  dirty.add(card);
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    const now = [...dirty];
    dirty.clear();
    for (const one of now) one.draw();
  });
}

const drawAllSoon = () => cards.forEach(drawSoon);

/** Make, keep and remove cards for the selected sessions, where one of them has changed. */
export function arrange() {
  const known = state.selected.map((id) => sessions.get(id)).filter(Boolean);
  const same = known.length === arranged.length && known.every((session, at) => session === arranged[at]);
  if (!same) arrangeCards(known);
  arranged = known;
  filter();
  absentCharts({
    chosen: state.selected.length,
    known: known.length,
    cards: cards.size,
    hidden: [...cards.values()].every((card) => card.element.hidden),
  });
}

// Cards keep their places; new titles come last.
function arrangeCards(known) {
  const byTitle = new Map([...cards.keys()].map((title) => [title, []]));
  for (const session of known) {
    for (const graph of session.graphs ?? []) {
      if (!byTitle.has(graph.title)) byTitle.set(graph.title, []);
      byTitle.get(graph.title).push({ session: session.id, graph: graph.id });
    }
  }
  for (const [title, graphs] of byTitle) {
    if (graphs.length) place(title, graphs);
    else drop(title);
  }
}

function place(title, graphs) {
  let card = cards.get(title);
  if (!card) {
    card = new Card(title);
    cards.set(title, card);
    document.getElementById('charts').append(card.element);
    seen.observe(card.element);
  }
  card.show(graphs);
  drawSoon(card);
}

function drop(title) {
  const card = cards.get(title);
  if (!card) return;
  seen.unobserve(card.element);
  card.remove();
  cards.delete(title);
  dirty.delete(card);
}

function filter() {
  const words = state.graphFilter.toLowerCase().split(/\s+/).filter(Boolean);
  for (const [title, card] of cards)
    card.element.hidden = !words.every((word) => title.toLowerCase().includes(word));
}

// Live changes of several sessions are one arrangement.
let arranging = 0;
function arrangeSoon() {
  arranging ||= requestAnimationFrame(() => {
    arranging = 0;
    arrange();
  });
}

export function start() {
  seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        const card = cards.get(target.dataset.graphTitle);
        if (!card || card.element !== target) continue;
        card.see(isIntersecting);
        if (isIntersecting) drawSoon(card);
      }
    },
    { rootMargin: '150px 0px' },
  );

  // A session's window of steps for the zoom, from any line of the graph.
  setWindows((graph, { session, full }) => {
    const lines = [...full.lines.values()].sort((a, b) => b.x.length - a.x.length);
    return lines.length ? windowOf(lines[0], session, state.xMode, state.zoom) : null;
  });

  on('selection', arrange);
  on('session', (session) => state.selected.includes(session.id) && arrangeSoon());
  on('series', (graphs) => {
    const changed = new Set(graphs);
    for (const card of cards.values()) if (card.graphs.some(({ graph }) => changed.has(graph))) drawSoon(card);
  });
  on('zoom', () => {
    hide();
    drawAllSoon();
  });
  on('view', (changes) => ('graphFilter' in changes ? arrange() : drawAllSoon()));
  addEventListener('losswise:theme', () => {
    for (const card of cards.values()) {
      card.chart?.redraw();
      drawSoon(card);
    }
  });
  document.getElementById('charts-pane').addEventListener('scroll', hide, { passive: true });
}
