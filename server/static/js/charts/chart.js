// One uPlot: its axes, crosshair and box zoom. What is drawn inside comes from canvas.js, straight from the lines.
import { emit, state, zoomTo } from '../data/store.js';
import { drawAll } from './canvas.js';
import { axisOptions } from './x_axis.js';
import { logSplits, yValues } from './y_axis.js';

const SYNC = 'losswise';
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export class Chart {
  /** In `box`; `onCursor(chart)` is called when the crosshair moves, with chart.cursor in units of the axis or null. */
  constructor(box, onCursor) {
    this.box = box;
    this.onCursor = onCursor;
    this.lines = [];
    this.u = null;
    this.made = '';
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(box);
  }

  /** Draw these lines in these ranges of both axes. */
  show(lines, xRange, yRange) {
    this.lines = lines;
    this.yRange = yRange;
    const made = `${state.xMode} ${state.logY}`;
    if (this.made !== made) this.build(made);
    const { x, y } = this.u.scales;
    const same = x.min === xRange[0] && x.max === xRange[1] && y.min === yRange[0] && y.max === yRange[1];
    if (same) this.u.redraw(false, false);
    else {
      this.u.batch(() => {
        this.u.setScale('x', { min: xRange[0], max: xRange[1] });
        this.u.setScale('y', { min: yRange[0], max: yRange[1] });
      });
    }
  }

  build(made) {
    this.u?.destroy();
    this.made = made;
    const time = state.xMode === 'time';
    this.u = new uPlot(
      {
        ...this.size(),
        legend: { show: false },
        padding: [6, 14, 0, 0],
        scales: {
          x: { time, auto: false },
          y: { auto: false, distr: state.logY ? 3 : 1, range: (u, min, max) => [min, max] },
        },
        series: [{}, { scale: 'y', points: { show: false } }],
        axes: [
          { ...this.axis(), size: 24, gap: 4, grid: { show: false }, ...axisOptions(state.xMode) },
          {
            ...this.axis(),
            gap: 4,
            size: (u, values) => this.leftSize(values),
            grid: { stroke: () => css('--line'), width: 1 },
            values: yValues,
            ...(state.logY && { splits: logSplits, filter: (u, splits) => splits }),
          },
        ],
        cursor: {
          points: { show: false },
          y: false,
          drag: { x: true, y: false, setScale: false, dist: 4 },
          sync: {
            key: SYNC,
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
          draw: [(u) => drawAll(u, this.lines, { bad: css('--bad'), logY: state.logY })],
          setCursor: [() => this.moved()],
          setSelect: [(u) => this.selected(u)],
        },
      },
      [
        [0, 1],
        [null, null],
      ],
      this.box,
    );
  }

  axis() {
    return { stroke: () => css('--dim'), font: `11px ${css('--sans')}`, ticks: { show: false } };
  }

  leftSize(values) {
    const longest = Math.max(3, ...(values ?? []).map((text) => text?.length ?? 0));
    return Math.ceil(longest * 6.6 + 12);
  }

  size() {
    return { width: Math.max(80, this.box.clientWidth), height: Math.max(60, this.box.clientHeight) };
  }

  resize() {
    if (!this.u || !this.box.clientWidth) return;
    const { width, height } = this.size();
    if (this.u.width !== width || this.u.height !== height) this.u.setSize({ width, height });
  }

  /** The crosshair's place on the axis, or null. */
  get cursor() {
    const { left } = this.u.cursor;
    return left == null || left < 0 || left > this.u.over.clientWidth ? null : this.u.posToVal(left, 'x');
  }

  get hovered() {
    return this.u.over.matches(':hover');
  }

  moved() {
    if (this.u) this.onCursor(this);
  }

  selected(u) {
    const { left, width } = u.select;
    if (width < 4) return;
    const range = { min: u.posToVal(left, 'x'), max: u.posToVal(left + width, 'x') };
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    if (state.xMode === 'step' && range.max - range.min < 1)
      return emit('trouble', 'There is nothing finer than one step.');
    zoomTo(range);
  }

  redraw() {
    this.u?.redraw(false, true);
  }

  destroy() {
    this.sizes.disconnect();
    this.u?.destroy();
    this.u = null;
  }
}
