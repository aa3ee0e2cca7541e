// A chart: one uPlot with its axes, crosshair and box zoom. canvas.js draws what is inside.
import { emit, state, zoomTo } from '../data/store.js';
import { cssValue } from '../ui/dom.js';
import { drawAll } from './canvas.js';
import { axisOptions } from './x_axis.js';
import { logSplits, yLabels } from './y_axis.js';

/** @import { DrawnLine } from './canvas.js' */
/** @import { Extent } from './y_axis.js' */

const SYNC_KEY = 'losswise';
const CHARACTER_WIDTH = 6.6; // pixels

export class Chart {
  /**
   * @param {HTMLElement} box
   * @param {(chart: Chart) => void} onCursor called when the crosshair moves
   */
  constructor(box, onCursor) {
    this.box = box;
    this.onCursor = onCursor;
    /** @type {DrawnLine[]} */
    this.lines = [];
    this.options = ''; // those for which `u` was made
    this.hasTooltip = false;
    /** @type {HTMLElement[]} the dots on the lines under the crosshair, which tooltip.js draws */
    this.dots = [];
    this.u = this.create();
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(box);
  }

  /**
   * Draw these lines in these ranges of both axes.
   *
   * @param {DrawnLine[]} lines
   * @param {Extent} xRange
   * @param {Extent} yRange
   */
  show(lines, xRange, yRange) {
    this.lines = lines;
    if (this.options !== `${state.xMode} ${state.logY}`) {
      this.u.destroy();
      this.dots = [];
      this.u = this.create();
    }
    const { x, y } = this.u.scales;
    const isSame = x.min === xRange[0] && x.max === xRange[1] && y.min === yRange[0] && y.max === yRange[1];
    if (isSame) return this.u.redraw(false, false);
    this.u.batch(() => {
      this.u.setScale('x', { min: xRange[0], max: xRange[1] });
      this.u.setScale('y', { min: yRange[0], max: yRange[1] });
    });
  }

  /** @returns {uPlot} */
  create() {
    this.options = `${state.xMode} ${state.logY}`;
    /** @type {uPlot.Axis} */
    const axis = {
      stroke: () => cssValue('--dim'),
      font: `11px ${cssValue('--sans')}`,
      ticks: { show: false },
      gap: 4,
    };
    return new uPlot(
      {
        ...this.size(),
        legend: { show: false },
        padding: [6, 14, 0, 0],
        scales: {
          x: { time: state.xMode === 'time', auto: false },
          y: { auto: false, distr: state.logY ? 3 : 1, range: (_u, min, max) => [min, max] },
        },
        series: [{}, { scale: 'y', points: { show: false } }],
        axes: [
          { ...axis, size: 24, grid: { show: false }, ...axisOptions(state.xMode) },
          {
            ...axis,
            size: (_u, labels) => leftSize(labels),
            grid: { stroke: () => cssValue('--line'), width: 1 },
            values: yLabels,
            ...(state.logY && { splits: logSplits, filter: (_u, splits) => splits }),
          },
        ],
        cursor: {
          points: { show: false },
          y: false,
          drag: { x: true, y: false, setScale: false, dist: 4 },
          sync: {
            key: SYNC_KEY,
            setSeries: false,
            scales: ['x', null],
            filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' },
          },
          bind: {
            dblclick: () => () => {
              zoomTo(null);
              return null;
            },
          },
        },
        hooks: {
          draw: [(u) => drawAll(u, this.lines, { bad: cssValue('--bad'), logY: state.logY })],
          // uPlot moves the crosshair before its constructor returns
          setCursor: [() => this.u && this.onCursor(this)],
          setSelect: [(u) => this.zoomToSelection(u)],
        },
      },
      [
        [0, 1],
        [null, null],
      ],
      this.box,
    );
  }

  size() {
    return { width: Math.max(80, this.box.clientWidth), height: Math.max(60, this.box.clientHeight) };
  }

  resize() {
    if (!this.box.clientWidth) return;
    const { width, height } = this.size();
    if (this.u.width !== width || this.u.height !== height) this.u.setSize({ width, height });
  }

  /** The crosshair's position on the axis, or null. */
  get cursor() {
    const { left } = this.u.cursor;
    return left == null || left < 0 || left > this.u.over.clientWidth ? null : this.u.posToVal(left, 'x');
  }

  /** Whether the pointer is in this chart, rather than in another that moves the crosshair of all. */
  get isHovered() {
    return this.u.over.matches(':hover');
  }

  /** @param {uPlot} u */
  zoomToSelection(u) {
    const { left, width } = u.select;
    if (width < 4) return;
    const range = { min: u.posToVal(left, 'x'), max: u.posToVal(left + width, 'x') };
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (state.xMode === 'step' && range.max - range.min < 1)
      emit('message', 'The chart cannot be zoomed to less than one step.');
    else zoomTo(range);
  }

  redraw() {
    this.u.redraw(false, true);
  }

  destroy() {
    this.observer.disconnect();
    this.u.destroy();
  }
}

/** @param {string[] | null} labels of the vertical axis */
function leftSize(labels) {
  const longest = Math.max(3, ...(labels ?? []).map((text) => text?.length ?? 0));
  return Math.ceil(longest * CHARACTER_WIDTH + 12);
}
