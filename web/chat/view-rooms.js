// The left column: rooms, direct messages, and who we are.

import { List, byID, el, icon, setText } from "../parts/dom.js";
import { badge, hueOf, initials } from "./format.js";
import { roomName, roomProblem } from "./protocol.js";

/** actions: open(id), leave(conversation). */
export class RoomsView {
  #store;
  #actions;
  #rooms = new List(byID("room-list"));
  #directs = new List(byID("direct-list"));

  constructor(store, actions) {
    this.#store = store;
    this.#actions = actions;
    byID("join-form").addEventListener("submit", (event) => this.#submitted(event));
    byID("join-room").addEventListener("input", () => this.#complain(""));
  }

  render() {
    this.#rooms.show(this.#store.rooms.map((room) => this.#row(room)));
    const directs = this.#store.directs.filter((direct) => this.#store.isListed(direct));
    directs.sort((a, b) => b.lastTime - a.lastTime || a.id.localeCompare(b.id));
    this.#directs.show(directs.map((direct) => this.#row(direct)));
    byID("direct-hint").hidden = directs.length > 0;
    this.#renderMe();
  }

  #renderMe() {
    const { name, user } = this.#store.me;
    setText(byID("my-name"), name || "Choose a name");
    setText(byID("my-id"), user || "not connected yet");
    const avatar = byID("my-avatar");
    avatar.className = `avatar hue-${hueOf(user)}`;
    setText(avatar, initials(name || "?"));
  }

  #row(conversation) {
    const { id, direct, peer, unread, status } = conversation;
    const active = id === this.#store.active;
    const name = direct ? this.#store.nameOf(peer) : id;
    return {
      key: id,
      version: [name, unread, active, status].join("\n"),
      build: () => this.#build(conversation, name),
      update: (node) => this.#update(node, conversation, name),
    };
  }

  #build(conversation, name) {
    const { id, direct, peer } = conversation;
    const mark = direct ? el("span", { class: `avatar small hue-${hueOf(peer)}`, "aria-hidden": "true" }) : icon("hash");
    const open = el("button", { type: "button", class: "row-open", onclick: () => this.#actions.open(id) }, mark,
      el("bdi", { class: "row-name" }), el("span", { class: "badge" }), el("span", { class: "sr row-count" }));
    const leave = el("button", { type: "button", class: "row-leave", onclick: () => this.#actions.leave(conversation) }, icon("close"));
    const row = el("li", { class: "row", "data-id": id }, open, leave);
    this.#update(row, conversation, name);
    return row;
  }

  #update(row, { id, direct, unread, status }, name) {
    const active = id === this.#store.active;
    row.className = ["row", active && "active", unread && "unread", status === "out" && "out"].filter(Boolean).join(" ");
    const open = row.querySelector(".row-open");
    if (active) open.setAttribute("aria-current", "true");
    else open.removeAttribute("aria-current");
    if (direct) setText(row.querySelector(".avatar"), initials(name));
    setText(row.querySelector(".row-name"), name);
    setText(row.querySelector(".badge"), unread ? badge(unread) : "");
    setText(row.querySelector(".row-count"), unread ? "unread" : "");
    row.querySelector(".row-leave").setAttribute("aria-label", direct ? `Close the conversation with ${name}` : `Leave ${name}`);
    open.title = direct ? `${name} (${id.slice(1)})` : name;
  }

  #submitted(event) {
    event.preventDefault();
    const input = byID("join-room");
    const room = roomName(input.value);
    const problem = roomProblem(room);
    this.#complain(problem);
    if (problem) return;
    input.value = "";
    this.#actions.open(room);
  }

  #complain(problem) {
    setText(byID("join-problem"), problem);
    byID("join-room").setAttribute("aria-invalid", String(problem !== ""));
  }
}
