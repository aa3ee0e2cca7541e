// A card: all graphs of one title among the selected sessions, overlaid in one chart.
import { MINUS, PLUS, nearest, smooth, wire } from '../data/line.js';
import { layer, need, setWidth } from '../data/series_store.js';
import { firstBroken, shortTag, tagOf } from '../data/session.js';
import { palette, sessions, state } from '../data/store.js';
import { number, whole } from '../ui/format.js';
import { dashes, isHeldOut } from '../ui/palette.js';
import { Chart } from './chart.js';
import { drawnOf } from './display_line.js';
import { drawLegend, quietText, shortName } from './legend.js';
import { hide, point, words } from './tooltip.js';
import { placesOf } from './x_axis.js';
import { xRange, yRange } from './y_axis.js';

const GROW =
  '<svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path d="M9.5 2.5h4v4M6.5 13.5h-4v-4M13.5 2.5 9 7M2.5 13.5 7 9" fill="none" stroke="currentColor" stroke-width="1.4"/></svg>';

export class Card {
  constructor(title) {
    this.title = title;
    this.graphs = []; // [{session, graph}]
    this.hidden = new Set();
    this.visible = false;
    this.chart = null;
    this.build();
  }

  build() {
    const element = document.createElement('article');
    element.className = 'card';
    element.dataset.graphTitle = this.title;
    element.innerHTML = `<header class="card-head"><h2></h2><span class="facts"></span><span class="broken"></span></header>
      <button type="button" class="icon grow" aria-pressed="false" aria-label="Whole width" title="Whole width">${GROW}</button>
      <div class="legend"></div><div class="plot"><div class="bones"></div></div>`;
    const [head, grow, legend, plot] = element.children;
    head.firstChild.textContent = this.title || 'untitled';
    head.firstChild.title = this.title;
    grow.addEventListener('click', () =>
      grow.setAttribute('aria-pressed', element.classList.toggle('whole')),
    );
    plot.role = 'img';
    plot.ariaLabel = `Chart of ${this.title}`;
    plot.addEventListener('mouseleave', hide);
    Object.assign(this, { element, head, legend, plot });
    element.losswise = Object.freeze({ data: () => this.data() });
  }

  /** These graphs are shown from now on. */
  show(graphs) {
    this.graphs = graphs;
    if (this.visible) this.ask();
  }

  /** In sight, or out of it: charts out of sight are neither asked for nor drawn. */
  see(visible) {
    this.visible = visible;
    if (visible) this.ask();
  }

  ask() {
    setWidth(Math.max(200, this.plot.clientWidth - 40));
    for (const { session, graph } of this.graphs) need(graph, session);
  }

  get records() {
    return this.graphs
      .map(({ session, graph }) => ({
        session: sessions.get(session),
        graph: sessions.get(session)?.graphs.find((one) => one.id === graph),
      }))
      .filter(({ graph }) => graph);
  }

  draw() {
    if (!this.visible) return;
    const records = this.records;
    const names = [
      ...new Set(records.flatMap(({ graph }) => [...graph.names, ...(layer(graph.id)?.lines.keys() ?? [])])),
    ];
    const dashOf = dashes(names);
    this.drawFacts(records);
    const label = labeller(records.map(({ session }) => session));
    drawLegend(this.legend, {
      sessions: records.map(({ session }) => session),
      names,
      dashes: dashOf,
      labelOf: label,
      nameLabel: (name) => shortName(name, this.title),
      hidden: this.hidden,
      changed: () => this.draw(),
    });
    this.drawPlot(this.lines(records, names, dashOf, label), records);
  }

  lines(records, names, dashOf, label) {
    const lines = [];
    for (const { session, graph } of records) {
      if (this.hidden.has(`s:${session.id}`)) continue;
      for (const name of names) {
        const stored = layer(graph.id)?.lines.get(name);
        if (!stored?.x.length || this.hidden.has(`n:${name}`)) continue;
        const line = drawnOf(stored, state.xMode);
        const places = placesOf(line, session.id, state.xMode);
        if (!places) continue;
        const short = shortName(name, this.title);
        lines.push({
          places,
          line,
          color: palette.color(session.id),
          dash: dashOf.get(name),
          live: session.status === 'active',
          brokenAt: graph.stats?.[name]?.nan_x ?? null,
          smoothed: state.smooth > 0 ? smooth(line.mid, state.smooth) : null,
          label:
            records.length === 1
              ? short || name
              : names.length === 1 || !short
                ? label(session)
                : `${label(session)} ${short}`,
        });
      }
    }
    return lines;
  }

  drawPlot(lines, records) {
    const waiting = records.some(({ graph }) => layer(graph.id) === null);
    const whole_ = xRange(lines);
    if (!whole_)
      return this.nothing(waiting ? null : this.hidden.size ? 'Every line is hidden' : 'No points yet');
    const zoomed = state.zoom && state.zoom.max >= whole_[0] && state.zoom.min <= whole_[1];
    // A finer layer holds its window only, so the whole comes from elsewhere; the zoom says what is in sight.
    const x =
      zoomed || (state.zoom && lines.some(({ line }) => !line.exact))
        ? [state.zoom.min, state.zoom.max]
        : whole_;
    const y = yRange(lines, x, state.logY);
    if (!y) {
      const broken = lines.some(({ line }) => line.bad.some(Boolean));
      if (!broken && !zoomed)
        return this.nothing(state.logY ? 'Nothing above zero to show on a log axis' : 'No points yet');
    }
    if (!this.chart) {
      this.plot.replaceChildren();
      this.chart = new Chart(this.plot, (chart) => point(chart, records[0]?.graph.xlabel));
    }
    this.chart.show(lines, x, y ?? (state.logY ? [0.1, 1] : [0, 1]));
  }

  nothing(text) {
    this.chart?.destroy();
    this.chart = null;
    const kind = text === null ? 'bones' : 'nothing';
    if (
      this.plot.children.length === 1 &&
      this.plot.firstChild.className === kind &&
      this.plot.textContent === (text ?? '')
    )
      return;
    const box = document.createElement('div');
    box.className = kind;
    box.textContent = text ?? '';
    this.plot.replaceChildren(box);
  }

  drawFacts(records) {
    const [, facts, broken] = this.head.children;
    const kind = records.map(({ graph }) => graph.kind).find(Boolean);
    const label = records.map(({ graph }) => graph.ylabel).find((text) => text && text !== this.title);
    const best = kind ? bestOf(records, kind) : null;
    const text = JSON.stringify([label, kind, best]);
    if (facts.dataset.text !== text) {
      facts.dataset.text = text;
      facts.replaceChildren(kind ?? '');
      if (best) {
        const strong = document.createElement('b');
        strong.textContent = number(best.value);
        facts.append(
          ' · best ',
          strong,
          ' ',
          records.length > 1 ? quietText(shortTag(best.session)) : best.name,
        );
      }
      if (label) facts.append(kind ? ' · ' : '', label);
      const whole = best && `${kind} · best ${best.value}, ${best.name} of ${tagOf(best.session)}`;
      facts.title = [whole, label].filter(Boolean).join(' · ');
    }
    const [said, tag, title] = this.brokenWords(records);
    if (broken.dataset.key === title + tag) return;
    broken.dataset.key = title + tag;
    broken.title = title;
    broken.replaceChildren(said, ...(tag ? [' ', quietText(tag)] : []));
  }

  brokenWords(records) {
    const found = records
      .map((record) => ({ ...record, first: firstBroken(record.graph) }))
      .filter(({ first }) => first);
    if (!found.length) return ['', '', ''];
    const texts = found.map(({ graph, first }) => `${word(graph.id, first)} at ${whole(first.x)}`);
    const tag = records.length > 1 ? shortTag(found[0].session, 16) : '';
    const rest = texts.length > 1 ? ` +${texts.length - 1}` : '';
    return [
      `▲ ${texts[0]}`,
      tag + rest,
      found.map(({ session }, at) => `${tagOf(session)}: ${texts[at]}`).join('\n'),
    ];
  }

  /** The points behind the picture: {session: {name: columns}}, in the words of the read API. */
  data() {
    const result = {};
    for (const { session, graph } of this.graphs) {
      const drawn = layer(graph);
      if (drawn)
        result[session] = Object.fromEntries([...drawn.lines].map(([name, line]) => [name, wire(line)]));
    }
    return result;
  }

  remove() {
    this.chart?.destroy();
    this.element.remove();
  }
}

// NaN, or which infinity, as far as the points are here.
function word(graph, { name, x }) {
  const line = layer(graph)?.lines.get(name);
  const at = line ? nearest(line.x, x) : -1;
  const flags = line?.x[at] === x ? line.bad[at] : 0;
  return flags & (PLUS | MINUS) ? words(flags) : 'NaN';
}

/** The best of a card: of held-out quantities where there are any. */
function bestOf(records, kind) {
  const candidates = records.flatMap(({ session, graph }) =>
    Object.entries(graph.stats ?? {})
      .map(([name, stat]) => ({ session, name, value: stat[kind] }))
      .filter(({ value }) => typeof value === 'number'),
  );
  const heldOut = candidates.filter(({ name }) => isHeldOut(name));
  const among = heldOut.length ? heldOut : candidates;
  if (!among.length) return null;
  const best = among.reduce((a, b) => ((kind === 'min' ? b.value < a.value : b.value > a.value) ? b : a));
  return { ...best, session: { id: best.session.id, tag: best.session.tag } };
}

/** Names sessions by their tag, with the id's start where two have the same. */
function labeller(records) {
  const count = new Map();
  for (const session of records) count.set(tagOf(session), (count.get(tagOf(session)) ?? 0) + 1);
  return (session) =>
    count.get(tagOf(session)) > 1
      ? `${shortTag(session, 18)} ${session.id.slice(0, 4)}`
      : shortTag(session, 24);
}
