// The conversation itself: lines grouped by who said them and when, and where the reader stands in them.

import { List, byID, el, setText } from "../parts/dom.js";
import { dayName, dayOf, people, plural } from "./format.js";
import { MessageView } from "./view-message.js";

const TOGETHER = 300_000; // lines of one person within this time form a group
const NEAR = 60; // pixels from the end that still count as being there
const SOON = 240; // pixels from the beginning at which earlier messages are fetched

const GAPS = {
  expired: "They are older than what the server keeps.",
  epoch: "The room started anew on the server.",
  diverged: "The server lost some of what it had.",
  too_many: "There were too many of them.",
  lagged: "The connection was too slow for this room.",
};

/** actions: retry(message), discard(message), earlier(). */
export class LogView {
  #store;
  #actions;
  #list = new List(byID("log"));
  #scroller = byID("scroller");
  #messages;
  #shown = "";
  #oldest = "";
  #lastSeen = "";

  constructor(store, actions) {
    this.#store = store;
    this.#actions = actions;
    this.#messages = new MessageView(store, actions);
    byID("earlier").addEventListener("click", () => actions.earlier());
    byID("jump").addEventListener("click", () => this.toEnd(true));
    this.#scroller.addEventListener("scroll", () => {
      this.#scrolled();
      this.#soon();
    }, { passive: true });
    // The window may change size, a keyboard may open, the composer may grow: whoever read the end goes on reading it.
    new ResizeObserver(() => !byID("jump").hidden || this.toEnd()).observe(this.#scroller);
  }

  render() {
    const conversation = this.#store.current;
    if (!conversation) return;
    const atEnd = this.#atEnd();
    const fromEnd = this.#scroller.scrollHeight - this.#scroller.scrollTop;
    const oldest = conversation.items.find(({ kind }) => kind === "message")?.id ?? "";
    const switched = this.#shown !== conversation.id;
    byID("log").setAttribute("aria-busy", String(switched || conversation.behind > 0));
    byID("earlier").hidden = !conversation.earlier || conversation.direct;
    setText(byID("earlier"), conversation.fetching ? "Fetching earlier messages" : "Show earlier messages");
    this.#list.show(this.#rows(conversation));
    this.#renderEmpty(conversation);
    this.#renderTyping(conversation);
    if (switched) this.#arrive(conversation);
    else if (atEnd) this.toEnd();
    else if (oldest !== this.#oldest) this.#scroller.scrollTop = this.#scroller.scrollHeight - fromEnd;
    this.#shown = conversation.id;
    this.#oldest = oldest;
    this.#scrolled();
  }

  /** Shows the newest line. */
  toEnd(smooth = false) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.#scroller.scrollTo({ top: this.#scroller.scrollHeight, behavior: smooth && !calm ? "smooth" : "instant" });
  }

  #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR;
  }

  // A conversation opens where the unread part begins, else at its end.
  #arrive({ freshFrom }) {
    const mark = freshFrom && byID("log").querySelector(".fresh");
    if (!mark) return this.toEnd();
    this.#scroller.scrollTop = mark.offsetTop - this.#scroller.clientHeight / 3;
  }

  #scrolled() {
    const conversation = this.#store.current;
    const atEnd = this.#atEnd();
    const { items } = conversation;
    if (atEnd) this.#lastSeen = items.at(-1)?.id ?? "";
    const at = items.findLastIndex(({ id }) => id === this.#lastSeen);
    const below = at < 0 ? 0 : items.slice(at + 1).filter(({ kind, own }) => kind === "message" && !own).length;
    byID("jump").hidden = atEnd;
    setText(byID("jump-text"), below ? plural(below, "new message", "new messages") : "Newest");
  }

  // Only who scrolls asks for more: a request that fails is not repeated by the drawing that follows.
  #soon() {
    const { earlier, direct } = this.#store.current;
    if (this.#scroller.scrollTop < SOON && earlier && !direct) this.#actions.earlier();
  }

  #rows(conversation) {
    const rows = [];
    let before = null;
    let day = 0;
    for (const line of [...conversation.items, ...conversation.pending]) {
      if (dayOf(line.ts) !== day && line.kind !== "gap") {
        day = dayOf(line.ts);
        rows.push(this.#dayRow(line));
        before = null;
      }
      if (line.id === conversation.freshFrom) {
        rows.push({ key: "fresh", version: 0, build: () => el("div", { class: "rule fresh" }, el("span", {}, "New")) });
        before = null;
      }
      const row = this.#row(line, conversation, before);
      if (before && !row.head) before.row.tail = false;
      rows.push(row);
      before = line.kind === "message" ? { line, row } : null;
    }
    return rows.map((row) => (row.line ? this.#messages.finish(row) : row));
  }

  #row(line, conversation, before) {
    if (line.kind === "gap") return this.#gapRow(line);
    if (line.kind === "notice") return this.#noticeRow(line);
    const joins = before && before.line.from.user === line.from.user && line.ts - before.line.ts < TOGETHER;
    return { line, head: !joins, tail: true, conversation };
  }

  #dayRow({ id, ts }) {
    const name = dayName(ts);
    return { key: "day-" + id, version: name, build: () => el("div", { class: "rule day" }, el("span", {}, name)) };
  }

  #gapRow({ id, reason }) {
    const why = GAPS[reason] ? " " + GAPS[reason] : "";
    return { key: id, version: 0, build: () => el("div", { class: "gap" }, el("strong", {}, "Some messages could not be recovered."), why) };
  }

  #noticeRow({ id, names, verb }) {
    const text = `${people(names)} ${verb}`;
    return { key: id, version: text, build: () => el("div", { class: "notice" }, el("bdi", {}, text)) };
  }

  #renderEmpty({ items, pending, direct, peer, status, behind, problem, id }) {
    const out = status === "out";
    byID("out").hidden = !out;
    setText(byID("out-problem"), problem);
    byID("out-join").hidden = this.#store.connection.phase === "stopped"; // there is nobody to ask
    const empty = !out && !items.some(({ kind }) => kind !== "notice") && !pending.length && (direct || (status === "joined" && !behind));
    byID("empty").hidden = !empty;
    byID("empty-room").hidden = direct;
    if (!empty) return;
    setText(byID("empty-title"), direct ? `Just you and ${this.#store.nameOf(peer)}` : `Welcome to ${id}`);
    setText(byID("empty-text"), direct
      ? "What you write here goes to this person's inbox and to nobody else."
      : "Nothing has been said here yet. Say hello, or open this page in a private window to see both sides.");
    setText(byID("snippet-room"), JSON.stringify(id));
  }

  #renderTyping(conversation) {
    const { names } = conversation.typists();
    const text = names.length ? `${people(names, 2)} ${names.length > 1 ? "are" : "is"} typing` : "";
    setText(byID("typing-text"), text);
    byID("typing").classList.toggle("on", text !== "");
  }
}
