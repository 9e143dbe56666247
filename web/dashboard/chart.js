// A chart of one kind of reading over the last minutes.

import { valueText } from "./reading.js";

const { uPlot } = globalThis; // a plain script, as its makers publish it

const HEIGHT = 168;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const FLOOR = { percent: 1, bytes: 1, rate: 2048 }; // the least top of a chart: nothing at all is a flat line at its foot

/** A chart in an element, which it fills in width. */
export class Chart {
  #parent;
  #kind;
  #plot = null;
  #range = [0, 1];
  #top = 1;
  #bare = true;
  #told;

  /** told(text) is given what is under the pointer, "" when nothing is. */
  constructor(parent, kind, told) {
    this.#parent = parent;
    this.#kind = kind;
    this.#told = told;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(parent);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
      matchMedia(query).addEventListener("change", () => this.#rebuild());
    }
  }

  /** Draws a series from one time to another, in Unix milliseconds. */
  draw(series, from, to) {
    this.#range = [from / 1000, to / 1000];
    const columns = series.columns(this.#kind.figures, from);
    const highest = columns.slice(1).flat().reduce((most, value) => Math.max(most, value ?? 0), FLOOR[this.#kind.unit]);
    this.#bare = !series.last;
    this.#top = (series.last && this.#kind.top(series.last.data)) || highest * 1.15;
    if (!this.#plot) this.#plot = new uPlot(this.#options(), columns, this.#parent);
    else this.#plot.setData(columns);
  }

  #rebuild() {
    if (!this.#plot) return;
    const { data } = this.#plot;
    this.#plot.destroy();
    this.#plot = new uPlot(this.#options(), data, this.#parent);
  }

  #size() {
    return { width: Math.max(this.#parent.clientWidth, 120), height: HEIGHT };
  }

  #options() {
    const style = getComputedStyle(this.#parent);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--faint"), font: `11px ${colour("--font")}`, ticks: { show: false } };
    return {
      ...this.#size(),
      padding: [10, 8, 0, 0],
      legend: { show: false },
      cursor: { x: true, y: false, points: { size: 7 }, drag: { setScale: false, x: false, y: false }, sync: { key: "wireroom" } },
      hooks: { setCursor: [(plot) => this.#told(this.#under(plot))] },
      scales: { x: { time: true, range: () => this.#range }, y: { range: () => [0, this.#top] } },
      axes: [
        { ...axis, size: 26, gap: 6, space: 76, grid: { show: false }, values: (_, times) => times.map((time) => timeText(time, this.#range)) },
        { ...axis, size: 66, gap: 8, space: 44, grid: { stroke: colour("--line"), width: 1 }, values: (_, values) => values.map((value) => axisText(value, this.#kind.unit)), splits: () => (this.#bare ? [0] : thirds(this.#top, this.#kind.unit)) },
      ],
      series: [{}, ...this.#kind.figures.map((figure, n) => {
        const stroke = colour(`--chart-${n}`);
        return { label: figure.label, stroke, width: 1.75, points: { show: false }, fill: n === 0 ? `color-mix(in srgb, ${stroke} 12%, transparent)` : undefined };
      })],
    };
  }

  #under({ cursor, data }) {
    const at = cursor.idx;
    if (at === null || at === undefined || cursor.left < 0) return "";
    const values = this.#kind.figures.map(({ label }, n) => `${valueText(data[n + 1][at] ?? NaN, this.#kind.unit)} ${label}`);
    return `${clock.format(data[0][at] * 1000)}  ${values.join(", ")}`;
  }
}

const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

const timeText = (time, [from, to]) => (to - from <= 120 ? clock : short).format(time * 1000);

// Round numbers at about a third and two thirds of the height, in the steps that people count the unit in.
function thirds(top, unit) {
  if (unit === "percent") return [0, 50, 100];
  const size = 1024 ** Math.floor(Math.log(top) / Math.log(1024));
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((count) => (count * size * 3) >= top * 0.9) * size;
  return [0, 1, 2, 3].map((count) => count * step).filter((value) => value <= top);
}

// Ticks are round: 2 GiB and not 2.00 GiB.
const axisText = (value, unit) => (unit === "percent" ? `${value} %` : valueText(value, unit).replace(/\.0+ /, " "));
