// One room: what is said in it, live and back in time, who is there, and what an administrator can do about it.

import { List, byID, el, setText } from "../parts/dom.js";
import { clockTime, content, fullTime, plural, typed } from "./format.js";

const PAGE = 50;
const KEPT = 500;

/** ask(question, more): asks before something is done to somebody; tells(text) says what was done. */
export class RoomView {
  #api;
  #ask;
  #tells;
  #name = "";
  #messages = [];
  #before = "";
  #log = new List(byID("messages"));
  #people = new List(byID("people"));

  constructor(api, ask, tells) {
    this.#api = api;
    this.#ask = ask;
    this.#tells = tells;
    byID("older").addEventListener("click", () => this.#older());
    byID("publish-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#publish();
    });
  }

  open(name) {
    if (this.#name === name) return;
    this.#name = name;
    this.#messages = [];
    this.#before = "";
    setText(byID("room-title"), name);
    this.#render([], 0);
  }

  async refresh() {
    const room = this.#name;
    const [log, people] = await Promise.all([this.#newer(room), this.#api.get("presence", { room, limit: 200 }).catch(noPresence)]);
    if (room !== this.#name) return;
    this.#take(log);
    this.#render(people.members, people.count);
  }

  // What came since the last look; the newest at first, and when what was seen cannot be proven any more.
  async #newer(room) {
    const since = this.#messages.at(-1)?.pos;
    const log = since ? await this.#api.get("history", { room, since, limit: PAGE }) : { recovered: false };
    return log.recovered === false ? { ...(await this.#api.get("history", { room, limit: PAGE })), anew: true } : log;
  }

  #take({ anew, messages, more, next }) {
    if (anew) {
      this.#messages = messages;
      this.#before = more ? next : "";
    } else {
      this.#messages.push(...messages);
    }
    if (this.#messages.length <= KEPT) return;
    this.#messages = this.#messages.slice(-KEPT);
    this.#before = this.#messages[0].pos;
  }

  async #older() {
    const room = this.#name;
    const log = await this.#api.get("history", { room, before: this.#before, limit: PAGE }).catch((error) => this.#tells(error.message));
    if (!log || room !== this.#name) return;
    this.#messages.unshift(...log.messages);
    this.#before = log.more ? log.next : "";
    this.#renderLog();
  }

  #render(members, count) {
    this.#renderLog();
    setText(byID("people-count"), members.length ? plural(count, "user", "users") : "");
    byID("people-empty").hidden = members.length > 0;
    this.#people.show(members.map((member) => this.#person(member)));
  }

  #renderLog() {
    const scroller = byID("log");
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    const first = byID("messages").firstElementChild;
    byID("older").hidden = !this.#before;
    byID("log-empty").hidden = this.#messages.length > 0;
    this.#log.show(this.#messages.map((message) => ({ key: message.pos, version: 0, build: () => line(message) })));
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
    else if (first !== byID("messages").firstElementChild) scroller.scrollTop = scroller.scrollHeight - fromEnd;
  }

  #person({ user, name }) {
    const kick = () => this.#kick(user, name || user);
    const block = () => this.#block(user, name || user);
    const build = () => el("li", { class: "person" },
      el("a", { href: `#connections/${encodeURIComponent(user)}` }, el("bdi", {}, name || user), name && el("small", {}, user)),
      el("button", { type: "button", class: "small", onclick: kick, "aria-label": `Kick ${name || user}` }, "Kick"),
      el("button", { type: "button", class: "small bad", onclick: block, "aria-label": `Block ${name || user}` }, "Block"));
    return { key: user, version: name, build };
  }

  async #kick(user, name) {
    const room = this.#name;
    if (!(await this.#ask(`Kick ${name} out of ${room}?`, "They cannot come back into this room for a minute.", "Kick"))) return;
    await this.#done(this.#api.post("kick", { room, user, reason: "by an administrator", for: 60 }), `${name} was kicked.`);
  }

  async #block(user, name) {
    if (!(await this.#ask(`Block ${name}?`, "All of their connections are closed, and they cannot connect for an hour.", "Block"))) return;
    await this.#done(this.#api.post("block", { user, reason: "by an administrator", for: 3600 }), `${name} is blocked for an hour.`);
  }

  async #publish() {
    const text = byID("publish-text").value.trim();
    if (!text) return;
    const event = byID("publish-event").value.trim();
    const done = await this.#done(this.#api.post("publish", { room: this.#name, data: typed(text), ...(event ? { event } : {}) }), "Published.");
    if (done) byID("publish-text").value = "";
  }

  async #done(doing, said) {
    try {
      await doing;
      this.#tells(said);
      await this.refresh();
      return true;
    } catch (error) {
      this.#tells(error.message);
      return false;
    }
  }
}

const noPresence = () => ({ members: [], count: 0 });

function line({ pos, ts, from = {}, event, ...message }) {
  return el("li", { class: "message" },
    el("time", { datetime: new Date(ts).toISOString(), title: fullTime(ts) }, clockTime(ts)),
    el("bdi", { class: "from", title: from.user || "the server" }, from.name || from.user || "server"),
    el("span", { class: "content" }, event && el("span", { class: "event" }, event), content(message)),
    el("span", { class: "pos", title: pos }, pos ? pos.split(".")[1] : ""));
}
