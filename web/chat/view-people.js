// The right column: who is in the room, or who the other person of a private conversation is.

import { List, byID, el, seen, setText } from "../parts/dom.js";
import { hueOf, initials, plural } from "./format.js";
import { inboxOf } from "./protocol.js";

const INBOXES = "Messages here go from inbox to inbox. The copies of what you wrote are kept in this browser.";

/** actions: open(id), morePeople(conversation). */
export class PeopleView {
  #store;
  #actions;
  #list = new List(byID("people-list"));

  constructor(store, actions) {
    this.#store = store;
    this.#actions = actions;
    byID("more-people").addEventListener("click", () => actions.morePeople(store.current));
  }

  render() {
    const conversation = this.#store.current;
    if (!conversation) return;
    const { direct, peopled, count, nextMembers } = conversation;
    const members = direct ? this.#pair(conversation) : this.#sorted(conversation);
    const twins = namesakes(members);
    this.#list.show(members.map((member) => this.#row(member, twins.has(member.name))));
    setText(byID("people-title"), direct ? "In this conversation" : "Here now");
    setText(byID("people-count"), direct || !members.length ? "" : String(count || members.length));
    const hidden = direct ? 0 : count - members.length;
    byID("more-people").hidden = hidden <= 0;
    setText(byID("more-people"), nextMembers ? `Show more of ${plural(hidden, "person", "others")}` : `Show ${plural(hidden, "other", "others")}`);
    setText(byID("people-note"), direct ? INBOXES : peopled ? "" : "This room does not say who is in it.");
  }

  #pair({ peer }) {
    const { user, name } = this.#store.me;
    return [{ user: peer, name: this.#store.nameOf(peer) }, ...(peer === user ? [] : [{ user, name }])];
  }

  #sorted({ members }) {
    const me = this.#store.me.user;
    const all = [...members.values()].map(({ user, name }) => ({ user, name: seen(name) || this.#store.nameOf(user) }));
    return all.sort((a, b) => (b.user === me) - (a.user === me) || a.name.localeCompare(b.name) || (a.user < b.user ? -1 : 1));
  }

  #row({ user, name }, twins) {
    const own = user === this.#store.me.user;
    return { key: user, version: [name, own, twins].join("\n"), build: () => this.#build(user, name, own, twins) };
  }

  #build(user, name, own, twins) {
    const avatar = el("span", { class: `avatar small hue-${hueOf(user)}`, "aria-hidden": "true" }, initials(name));
    const label = el("span", { class: "person-name" }, el("bdi", {}, name), twins && el("small", {}, user));
    if (own) return el("li", { class: "person own" }, avatar, label, el("small", { class: "you" }, "you"));
    const open = () => this.#actions.open(inboxOf(user));
    const button = el("button", { type: "button", onclick: open, title: `Write to ${name} (${user})` }, avatar, label,
      el("span", { class: "sr" }, ", write a private message"));
    return el("li", { class: "person", "data-user": user }, button);
  }
}

// Names are free to choose, so two people may carry the same: then the user is shown too.
function namesakes(members) {
  const once = new Set();
  const twice = new Set();
  for (const { name } of members) (once.has(name) ? twice : once).add(name);
  return twice;
}
