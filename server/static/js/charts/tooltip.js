// The values under the crosshair, beside it; and the dots on the lines that show which point is meant.
import { MINUS, NAN, PLUS, nearest } from '../data/line.js';
import { state } from '../data/store.js';
import { number, whole } from '../ui/format.js';
import { sample } from './canvas.js';
import { placeText } from './x_axis.js';

const REACH = 14; // pixels beyond a line's end at which it still has a value
const MARK_REACH = 7;
const ROWS = 14;

let tip = null;

/** What each line has at a place of the axis: [{item, at, pixel, broken}]. */
function found(chart, place) {
  const { u } = chart;
  const result = [];
  for (const item of chart.lines) {
    const at = nearest(item.places, place);
    if (at < 0) continue;
    const away = Math.abs(u.valToPos(item.places[at], 'x') - u.valToPos(place, 'x'));
    const inside = place >= item.places[0] && place <= item.places.at(-1);
    if (!inside && away > REACH) continue;
    result.push({ item, at, broken: brokenNear(u, item, at, place) });
  }
  return result;
}

// The nearest NaN or infinity within reach of the pointer.
function brokenNear(u, item, at, place) {
  const { bad } = item.line;
  for (let by = 0; by < 30; by += 1) {
    for (const near of [at - by, at + by]) {
      if (bad[near] && Math.abs(u.valToPos(item.places[near], 'x') - u.valToPos(place, 'x')) <= MARK_REACH)
        return near;
    }
  }
  return bad[at] ? at : -1;
}

/** Show what is under the crosshair of a chart; the words only for the chart that the pointer is in. */
export function point(chart, xlabel) {
  const place = chart.cursor;
  const here = place === null ? [] : found(chart, place);
  dots(chart, here);
  if (!chart.hovered && !chart.tipped) return;
  chart.tipped = false;
  if (place === null || !here.length || !chart.hovered) return hide();
  chart.tipped = true;
  fill(chart, here, place, xlabel);
}

export function hide() {
  if (tip) tip.hidden = true;
}

function dots(chart, here) {
  const { over } = chart.u;
  chart.spots ??= [];
  if (chart.spotsIn !== over) chart.spots = [];
  chart.spotsIn = over;
  const places = here.filter(
    ({ item, at }) => Number.isFinite(valueOf(item, at)) && !(state.logY && valueOf(item, at) <= 0),
  );
  while (chart.spots.length < places.length) {
    const spot = document.createElement('i');
    spot.className = 'spot';
    over.append(spot);
    chart.spots.push(spot);
  }
  chart.spots.forEach((spot, n) => {
    spot.hidden = n >= places.length;
    if (spot.hidden) return;
    const { item, at } = places[n];
    spot.style.background = item.color;
    spot.style.transform = `translate(${chart.u.valToPos(item.places[at], 'x')}px, ${chart.u.valToPos(valueOf(item, at), 'y')}px)`;
  });
}

const valueOf = (item, at) => (item.smoothed ?? item.line.mid)[at];

function fill(chart, here, place, xlabel) {
  tip ??= document.body.appendChild(
    Object.assign(document.createElement('div'), { className: 'tip', role: 'tooltip' }),
  );
  const at = document.createElement('div');
  at.className = 'at';
  const steps = here.map(({ item, at: n }) => item.places[n]);
  at.textContent = placeText(
    steps.reduce((best, x) => (Math.abs(x - place) < Math.abs(best - place) ? x : best), steps[0]),
    state.xMode,
    xlabel,
    chart.u.scales.x.max - chart.u.scales.x.min,
  );
  const nearestRow = closest(chart, here);
  const table = document.createElement('table');
  const shown =
    here.length > ROWS
      ? [...here].sort((a, b) => (b === nearestRow) - (a === nearestRow)).slice(0, ROWS)
      : here;
  table.append(...shown.map((entry) => row(entry, entry === nearestRow && here.length > 1)));
  tip.replaceChildren(at, table);
  if (here.length > ROWS) tip.append(`and ${here.length - ROWS} more`);
  tip.hidden = false;
  putBeside(chart);
}

function row({ item, at, broken }, near) {
  const tr = document.createElement('tr');
  tr.classList.toggle('near', near);
  tr.insertCell().append(sample(document.createElement('canvas'), item.color, item.dash));
  cell(tr, item.label, 'what').title = item.label;
  if (broken >= 0) {
    cell(tr, `${words(item.line.bad[broken])} ${brokenPlace(item, broken)}`, 'value broken');
  } else {
    cell(tr, number(valueOf(item, at)), 'value');
    if (item.smoothed) cell(tr, number(item.line.mid[at]), 'spread');
    else if (item.line.lo[at] < item.line.hi[at])
      cell(tr, `${number(item.line.lo[at])} to ${number(item.line.hi[at])}`, 'spread');
  }
  return tr;
}

// A bucket tells only where it begins; the first of all is known exactly from the statistics.
function brokenPlace({ line, brokenAt }, at) {
  const next = line.x[at + 1] ?? Infinity;
  if (line.exact) return `at ${whole(line.x[at])}`;
  return brokenAt >= line.x[at] && brokenAt < next ? `at ${whole(brokenAt)}` : `after ${whole(line.x[at])}`;
}

function cell(tr, text, className) {
  const td = tr.insertCell();
  td.textContent = text;
  td.className = className;
  return td;
}

/** The flags of a place in words. */
export function words(flags) {
  return [
    [NAN, 'NaN'],
    [PLUS, '∞'],
    [MINUS, '−∞'],
  ]
    .filter(([flag]) => flags & flag)
    .map(([, word]) => word)
    .join(', ');
}

function closest(chart, here) {
  const { top } = chart.u.cursor;
  let best = null;
  let away = Infinity;
  for (const entry of here) {
    const by = Math.abs(chart.u.valToPos(valueOf(entry.item, entry.at), 'y') - top);
    if (by < away) [best, away] = [entry, by];
  }
  return best;
}

function putBeside(chart) {
  const box = chart.u.over.getBoundingClientRect();
  const x = box.left + chart.u.cursor.left;
  const left = x + 16 + tip.offsetWidth < innerWidth ? x + 16 : Math.max(4, x - 16 - tip.offsetWidth);
  const top = Math.min(box.top + 8, innerHeight - tip.offsetHeight - 6);
  tip.style.transform = `translate(${Math.round(left + scrollX)}px, ${Math.round(Math.max(4, top) + scrollY)}px)`;
}
