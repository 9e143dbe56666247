// One room: what is said in it, live and back in time, who is there, and what an administrator can do about it.

import { List, byID, el, seen, setText } from "../parts/dom.js";
import { clockTime, content, fullTime, plural, sentence, typed } from "./format.js";

const PAGE = 50; // messages at first, and of older ones
const NEWER = 500; // messages of one request for what came since
const PAGES = 4; // such requests in one look: of what is more, the newest are shown
const KEPT = 500; // messages while the newest are in sight
const READ = 5000; // messages while somebody reads older ones

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

  // What came since the last look; the newest at first, when what was seen cannot be proven any more, and when more came
  // than anybody could read.
  async #newer(room) {
    const messages = [];
    let since = this.#messages.at(-1)?.pos;
    for (let n = 0; since && n < PAGES; n++) {
      const log = await this.#api.get("history", { room, since, limit: NEWER });
      if (log.recovered === false) break;
      messages.push(...log.messages);
      if (!log.more) return { messages };
      since = log.next;
    }
    return { ...(await this.#api.get("history", { room, limit: PAGE })), anew: true };
  }

  #take({ anew, messages, more, next }) {
    if (anew) {
      this.#messages = messages;
      this.#before = more ? next : "";
    } else {
      this.#messages.push(...messages);
    }
    const kept = atEnd(byID("log")) ? KEPT : READ;
    if (this.#messages.length <= kept) return;
    this.#messages = this.#messages.slice(-kept);
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
    const follows = atEnd(scroller);
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    const first = byID("messages").firstElementChild;
    byID("older").hidden = !this.#before;
    byID("log-empty").hidden = this.#messages.length > 0;
    const room = this.#name;
    this.#log.show(this.#messages.map((message) => ({ key: message.pos, version: 0, build: () => line(room, message) })));
    if (follows) scroller.scrollTop = scroller.scrollHeight;
    else if (first !== byID("messages").firstElementChild) scroller.scrollTop = scroller.scrollHeight - fromEnd;
  }

  #person({ user, name: chosen }) {
    const name = seen(chosen);
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
      this.#tells(sentence(error.message));
      return false;
    }
  }
}

/** Whether the newest messages are in sight. */
const atEnd = (scroller) => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 40;

const noPresence = () => ({ members: [], count: 0 });

function line(room, { pos, ts, from = {}, event, ...message }) {
  return el("li", { class: "message" },
    el("time", { datetime: new Date(ts).toISOString(), title: fullTime(ts) }, clockTime(ts)),
    el("bdi", { class: "from", title: from.user || "the server" }, seen(from.name) || from.user || "server"),
    el("span", { class: "content" }, event && el("span", { class: "event" }, event), content(message)),
    el("a", { class: "pos", title: `${pos}: why did somebody not get it?`, href: `#why//${encodeURIComponent(room)}/${pos}` }, pos.split(".")[1]));
}
