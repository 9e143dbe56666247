// One kind of reading on the page: its figures, how they changed, and its chart.

import { el, setText } from "../parts/dom.js";
import { Chart } from "./chart.js";
import { changeText, valueText } from "./reading.js";

const OLD = 5000; // milliseconds after which a reading is told with its time
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

const REFUSED = {
  forbidden: "You are not allowed to see this.",
  unauthorized: "A token is needed to see this.",
  kicked: "You were taken out of this room.",
};

export class Card {
  #kind;
  #figures;
  #note = el("p", { class: "card-note" }, "Waiting for the first reading");
  #under = el("p", { class: "card-under", "aria-hidden": "true" });
  #problem = el("p", { class: "card-problem", hidden: true });
  #canvas;
  #chart;

  constructor(kind) {
    this.#kind = kind;
    this.#figures = kind.figures.map((figure) => figureOf(figure, kind.figures.length > 1));
    this.#canvas = el("div", { class: "card-chart", role: "img" });
    const id = "title-" + kind.room.split("/")[1];
    this.node = el("section", { class: "card", "aria-labelledby": id, "data-room": kind.room },
      el("header", { class: "card-head" }, el("h2", { id }, kind.title), this.#note),
      el("div", { class: "figures" }, ...this.#figures.map(({ node }) => node)),
      el("div", { class: "card-stage" }, this.#canvas, this.#under, this.#problem),
    );
    this.#chart = new Chart(this.#canvas, kind, (text) => setText(this.#under, text));
  }

  /** Tells the newest reading of a series at a time; refused is why there is none. */
  tell(series, refused, now) {
    const { last, previous } = series;
    this.node.classList.toggle("bare", !last);
    this.#problem.hidden = !refused;
    setText(this.#problem, refused ? REFUSED[refused] ?? `This room cannot be joined (${refused}).` : "");
    for (const { figure, value, change, percent, node } of this.#figures) {
      const current = last ? figure.of(last.data) : NaN;
      const told = changeText(current, previous ? figure.of(previous.data) : NaN, this.#kind.unit);
      setText(value, last ? valueText(current, this.#kind.unit) : "–");
      setText(change, told.difference);
      setText(percent, told.percent);
      node.dataset.direction = told.direction;
    }
    setText(this.#note, last ? this.#noteOf(last, now) : refused ? "" : "Waiting for the first reading");
  }

  /** Draws a series from one time to another. */
  draw(series, from, to) {
    this.#chart.draw(series, from, to);
    this.#describe(series, from);
  }

  #noteOf({ ts, data }, now) {
    const note = this.#kind.note(data);
    return now - ts > OLD ? `${note}, as of ${clock.format(ts)}` : note;
  }

  // What the chart shows, in a sentence for whoever does not see it.
  #describe(series, from) {
    const { figures, unit, title } = this.#kind;
    const [, ...columns] = series.columns(figures, from);
    const parts = figures.map(({ label }, n) => {
      const values = columns[n].filter((value) => value !== null);
      return values.length ? `${label}: lowest ${valueText(Math.min(...values), unit)}, highest ${valueText(Math.max(...values), unit)}` : "";
    }).filter(Boolean);
    const text = `Chart. ${title}, ${parts.join("; ") || "no readings yet"}`;
    if (this.#canvas.getAttribute("aria-label") !== text) this.#canvas.setAttribute("aria-label", text);
  }
}

function figureOf(figure, several) {
  const value = el("span", { class: "figure-value" }, "–");
  const change = el("span", { class: "figure-change" }, "n/a");
  const percent = el("span", { class: "figure-percent" }, "n/a");
  const label = el("span", { class: several ? "figure-label keyed" : "figure-label" }, figure.label);
  const node = el("div", { class: "figure" },
    el("p", {}, value, " ", label),
    el("p", { class: "figure-moved" }, el("span", { class: "sr" }, "changed by "), change, " ", percent),
  );
  return { figure, value, change, percent, node };
}
