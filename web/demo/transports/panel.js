// One transport on the page: what it has read, and what one can do with it.

import { el, icon, setText } from "../../parts/dom.js";
import { Reader } from "./order.js";

const SHOWN = 60;
const PHASES = { connecting: "Connecting", live: "Live", cut: "Cut off", refused: "Not let in" };

export class Panel {
  phase = "connecting";

  constructor({ key, title, note, Carrier }, room, order, changed) {
    this.key = key;
    this.title = title;
    this.changed = changed;
    this.reader = new Reader(order);
    this.carrier = new Carrier(room, {
      phase: (phase) => this.#enter(phase),
      back: () => (this.returned = true),
      message: (it) => this.#hear(it),
      problem: (text) => this.#tell(text),
    });
    this.#build(note);
    this.carrier.open();
  }

  get refused() {
    return this.phase === "refused";
  }

  get live() {
    return this.phase === "live";
  }

  say(text) {
    this.carrier.say({ text, by: this.title });
  }

  #build(note) {
    this.status = el("span", { class: "panel-phase", role: "status" });
    this.figure = el("span", { class: "panel-count" }, "0");
    this.list = el("ol", { class: "log scroller", tabindex: "0", "aria-label": `What ${this.title} has read` });
    this.input = el("input", { "aria-label": `Say something over ${this.title}`, placeholder: "Say something", maxlength: "200", autocomplete: "off", enterkeyhint: "send" });
    this.toggle = el("button", { type: "button", class: "cut", onclick: () => this.#cut() });
    this.submit = el("button", { class: "tool", "aria-label": `Send over ${this.title}` }, icon("send"));
    const form = el("form", { class: "say", onsubmit: (event) => this.#submit(event) }, this.input, this.submit);
    const head = el("header", { class: "panel-head" }, el("h2", {}, this.title), el("p", { class: "panel-note" }, note), this.status);
    const bar = el("div", { class: "panel-bar" }, el("p", { class: "panel-read" }, this.figure, " read"), this.toggle);
    this.node = el("section", { class: `panel by-${this.key}`, "aria-label": this.title, "data-transport": this.key }, head, this.list, bar, form);
    this.#show();
  }

  #submit(event) {
    event.preventDefault();
    const text = this.input.value.trim();
    if (!text || !this.live) return;
    this.say(text);
    this.input.value = "";
  }

  #cut() {
    if (this.phase === "cut" || this.refused) {
      this.carrier.open();
      return;
    }
    this.carrier.cut();
    this.#enter("cut");
  }

  #enter(phase) {
    if (phase === "cut") this.missing = this.reader.last;
    this.phase = phase;
    this.#show();
    this.changed();
  }

  #show() {
    this.node.dataset.phase = this.phase;
    setText(this.status, PHASES[this.phase]);
    setText(this.toggle, { cut: "Come back", refused: "Try again" }[this.phase] ?? "Cut off");
    this.toggle.disabled = this.phase === "connecting";
    this.input.disabled = this.submit.disabled = !this.live;
    setText(this.figure, String(this.reader.count));
  }

  #hear({ pos, data }) {
    const offset = this.reader.read(pos);
    const by = typeof data === "object" && data?.by ? String(data.by) : "";
    const text = typeof data === "object" && data?.text !== undefined ? String(data.text) : JSON.stringify(data);
    const late = this.returned && offset <= (this.head ?? 0);
    this.#add(el("li", { class: late ? "late" : undefined, "data-offset": String(offset) },
      el("span", { class: "log-at" }, String(offset)), el("span", { class: "log-text" }, text), by !== "" && el("span", { class: "log-by" }, by)));
    setText(this.figure, String(this.reader.count));
    this.changed();
  }

  /** How far the others were when this one came back: what it hears up to there it has missed. */
  missedUpTo(offset) {
    this.head = offset;
  }

  #tell(text) {
    if (/^messages are gone/.test(text)) this.reader.begin();
    this.#add(el("li", { class: "log-problem" }, text));
    this.changed();
  }

  #add(row) {
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40;
    this.list.append(row);
    while (this.list.childElementCount > SHOWN) this.list.firstElementChild.remove();
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }
}
