// One message: who, what, when, and how far it got.

import { el, icon, seen, setText } from "../parts/dom.js";
import { clockTime, fullTime, hueOf, initials, isJumbo, linked } from "./format.js";
import { problemText } from "./protocol.js";

const LONG = 1200; // characters; more is folded

const STATES = {
  sending: { text: "Sending", icon: "clock" },
  waiting: { text: "Waiting", icon: "clock" },
  sent: { text: "Sent", icon: "check" },
  failed: { text: "Not sent", icon: "alert" },
};

/** actions: retry(message), discard(message). */
export class MessageView {
  #store;
  #actions;

  constructor(store, actions) {
    this.#store = store;
    this.#actions = actions;
  }

  /** A row for List: `head` and `tail` say whether the message begins or ends a group. */
  finish({ line, head, tail }) {
    const name = seen(line.from.name) || this.#store.nameOf(line.from.user);
    return {
      key: line.id,
      version: [head, tail, line.state, line.error?.code, name, line.ts].join("\n"),
      build: () => this.#build(line, { head, tail, name }),
      update: (node) => this.#update(node, line, { head, tail, name }),
    };
  }

  #build(line, group) {
    const node = el("div", { "data-id": line.id },
      !line.own && el("span", { class: "avatar", "aria-hidden": "true" }),
      el("div", { class: "message-main" },
        el("div", { class: "message-head", "aria-hidden": "true" }, el("bdi", { class: "message-name" }), el("time")),
        el("div", { class: "bubble", dir: "auto" }, el("span", { class: "sr message-said" }), ...this.#content(line)),
        el("div", { class: "message-foot" })));
    this.#update(node, line, group);
    return node;
  }

  #update(node, line, { head, tail, name }) {
    const { own, state, body, from, ts } = line;
    const jumbo = body.kind === "text" && isJumbo(body.text);
    node.className = ["message", own ? "own" : "other", head && "head", tail && "tail", jumbo && "jumbo", state].filter(Boolean).join(" ");
    node.querySelector(".bubble").title = fullTime(ts);
    setText(node.querySelector(".message-said"), `${own ? "You" : name}, ${clockTime(ts)}: `);
    setText(node.querySelector(".message-name"), name);
    setText(node.querySelector("time"), clockTime(ts));
    if (!own) {
      const avatar = node.querySelector(".avatar");
      avatar.className = `avatar hue-${hueOf(from.user)}`;
      setText(avatar, initials(name));
    }
    if (own) node.querySelector(".message-foot").replaceChildren(...this.#foot(line));
  }

  #content({ body, event }) {
    const label = event ? [el("span", { class: "event" }, event)] : [];
    if (body.kind === "code") return [...label, el("code", {}, body.text)];
    const text = el("span", { class: "text" }, ...linked(body.text).map(piece));
    if (body.text.length <= LONG) return [...label, text];
    text.classList.add("folded");
    const unfold = (event) => {
      text.classList.remove("folded");
      event.currentTarget.remove();
    };
    return [...label, text, el("button", { type: "button", class: "link", onclick: unfold }, "Show all of it")];
  }

  #foot(line) {
    const { text, icon: sign } = STATES[line.state];
    const status = el("span", { class: "state" }, icon(sign), el("span", { class: line.state === "sent" ? "sr" : "" }, text));
    if (line.state !== "failed") return [el("time", { "aria-hidden": "true" }, clockTime(line.ts)), status];
    return [
      status,
      el("span", { class: "why" }, problemText(line.error)),
      el("button", { type: "button", class: "link", onclick: () => this.#actions.retry(line) }, "Try again"),
      el("button", { type: "button", class: "link", onclick: () => this.#actions.discard(line) }, "Discard"),
    ];
  }
}

function piece({ text, href }) {
  return href ? el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, text) : text;
}
