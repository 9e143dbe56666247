// Everything the page shows, and what of it is kept between visits. Views read it; nobody else changes it.

import { Conversation } from "./conversation.js";
import { seen } from "../parts/dom.js";
import { inboxOf, userOf } from "./protocol.js";

const SENT_KEPT = 300; // own private messages kept by this browser: the other inbox is not ours to read

export class Store {
  /** Who we are; `vouched`: by a token of somebody else's, whose name counts. */
  me = { user: "", name: "", vouched: false };
  connection = { phase: "connecting" };
  /** Rooms and direct conversations by id: the room's name, or @user. */
  conversations = new Map();
  active = "";
  /** Whether the page is out of sight, so that nothing counts as read. */
  away = false;
  /** Our own inbox: what comes there belongs to direct conversations. */
  inbox = { id: "", position: "" };
  names = new Map();
  onChange = () => {};
  #lasting;
  #tab;
  #reads;
  #closed;
  #openedAt = Infinity;
  #savingReads = 0;

  constructor({ lasting, tab }) {
    this.#lasting = lasting;
    this.#tab = tab;
    this.#reads = lasting.load("reads", {});
    this.#closed = lasting.load("closed", {});
    this.me.name = lasting.load("name", "");
    for (const room of lasting.load("rooms", ["lobby"])) this.ensure(room);
    for (const { conversation, ...message } of tab.load("outbox", [])) this.ensure(conversation).pending.push(message);
  }

  get token() {
    return this.#lasting.load("token", "");
  }

  set token(token) {
    this.#lasting.save("token", token || undefined);
  }

  get current() {
    return this.conversations.get(this.active);
  }

  get rooms() {
    return [...this.conversations.values()].filter((conversation) => !conversation.direct);
  }

  get directs() {
    return [...this.conversations.values()].filter((conversation) => conversation.direct);
  }

  get unread() {
    return [...this.conversations.values()].reduce((sum, { unread }) => sum + unread, 0);
  }

  changed() {
    this.onChange();
  }

  rename(name) {
    this.me.name = name;
    this.#lasting.save("name", name);
    this.changed();
  }

  /** Takes over who the server says we are. Another user than before has another inbox and other private messages. */
  identify({ user, inbox, token, ts }) {
    if (token) this.token = token;
    this.me.vouched = !token;
    if (this.#openedAt === Infinity) this.#openedAt = ts;
    if (this.me.user !== user) this.#become(user, inbox);
    for (const conversation of this.conversations.values()) this.#startReading(conversation);
    this.changed();
  }

  /** The conversation with that id; a new one when there is none yet. */
  ensure(id) {
    const found = this.conversations.get(id);
    if (found) return found;
    const conversation = new Conversation(id, userOf(id));
    conversation.closedAt = this.#closed[id] ?? 0;
    if (conversation.direct) conversation.status = "joined";
    this.#startReading(conversation);
    this.conversations.set(id, conversation);
    this.#saveRooms();
    return conversation;
  }

  /** Shows a conversation; what it has is read then. */
  activate(id) {
    const before = this.current;
    if (before && before.id !== id) before.freshFrom = "";
    this.active = id;
    const conversation = this.ensure(id);
    this.#close(conversation, 0);
    this.read();
  }

  /** Drops a room, or takes a direct conversation off the list until something new comes. */
  forget(id) {
    const conversation = this.conversations.get(id);
    if (conversation?.direct) this.#close(conversation, Math.max(conversation.lastTime, 1));
    else this.conversations.delete(id);
    this.#saveRooms();
    this.saveOutbox();
    this.changed();
  }

  isListed(conversation) {
    const closed = conversation.closedAt > 0 && conversation.lastTime <= conversation.closedAt;
    return conversation.id === this.active || !closed;
  }

  /** Counts a line that came as read or unread. */
  note(conversation, line) {
    this.learn(line.from.user, line.from.name);
    if (line.own || line.ts <= conversation.readUntil) return;
    if (conversation.id !== this.active || this.away) return conversation.markUnread(line);
    conversation.readUntil = line.ts;
    this.#saveReads();
  }

  /** The reader sees the current conversation. */
  read() {
    if (this.away || !this.current) return;
    this.current.markRead();
    this.#saveReads();
    this.changed();
  }

  nameOf(user) {
    if (user === this.me.user && this.me.name) return this.me.name;
    return this.names.get(user) || user || "Server";
  }

  /** Somebody's name, as the server says it. */
  learn(user, name) {
    if (!seen(name)) return;
    this.names.set(user, name);
    if (user === this.me.user && this.me.vouched) this.me.name = name;
  }

  saveOutbox() {
    const waiting = [...this.conversations.values()].flatMap(({ id, pending }) =>
      pending.map((message) => ({ ...message, state: message.state === "failed" ? "failed" : "waiting", conversation: id })),
    );
    this.#tab.save("outbox", waiting.length ? waiting : undefined);
  }

  /** Keeps an own private message; the server keeps it in the other person's inbox only. */
  saveSent(conversation, message) {
    const sent = this.#lasting.load("sent", []);
    sent.push({ me: this.me.user, to: conversation.peer, id: message.id, ts: message.ts, text: message.body.text });
    this.#lasting.save("sent", sent.slice(-SENT_KEPT));
  }

  /** Shows own private messages of earlier visits and of other tabs. */
  loadSent() {
    for (const { me, to, id, ts, text } of this.#lasting.load("sent", [])) {
      if (me !== this.me.user) continue;
      const conversation = this.ensure(inboxOf(to));
      if (conversation.items.some((line) => line.id === id)) continue;
      const from = { user: me, name: this.me.name };
      conversation.accept({ kind: "message", id, from, own: true, body: { kind: "text", text } }, { pos: "", ts });
    }
  }

  /** Keeps how far was read, at once: the page may be going. Several tabs read; the furthest of them counts. */
  saveReads() {
    clearTimeout(this.#savingReads);
    const reads = this.#lasting.load("reads", {});
    for (const { id, readUntil } of this.conversations.values()) reads[id] = Math.max(reads[id] ?? 0, readUntil);
    this.#lasting.save("reads", reads);
  }

  #become(user, inbox) {
    const others = this.me.user ? this.directs : [];
    for (const { id, pending } of others) if (id !== this.active && !pending.length) this.conversations.delete(id);
    this.me.user = user;
    this.inbox = { id: inbox, position: "" };
    this.loadSent();
  }

  #startReading(conversation) {
    if (conversation.readUntil) return;
    conversation.readUntil = this.#reads[conversation.id] ?? (conversation.direct ? 0 : this.#openedAt);
    if (conversation.readUntil === Infinity) conversation.readUntil = 0; // not welcomed yet: asked again then
  }

  #close(conversation, at) {
    conversation.closedAt = at;
    if (at) this.#closed[conversation.id] = at;
    else delete this.#closed[conversation.id];
    this.#lasting.save("closed", this.#closed);
  }

  #saveRooms() {
    this.#lasting.save("rooms", this.rooms.map(({ id }) => id));
  }

  #saveReads() {
    clearTimeout(this.#savingReads);
    this.#savingReads = setTimeout(() => this.saveReads(), 300);
  }
}
