// Sends what was typed: in order, one at a time a conversation, and as often as it takes without storing it twice.

import { inboxOf } from "./protocol.js";
import { typed } from "./message.js";

const KEY_LIVES = 270_000; // the server knows a key again for 5 minutes; after that a repeat would be stored twice
const PAUSE = 1000; // before a retry, where the server names no time
const TYPING_PAUSE = 2500;

export class Outbox {
  #store;
  #connection;
  #sending = new Set();
  #typedAt = new Map();

  constructor(store, connection) {
    this.#store = store;
    this.#connection = connection;
  }

  send(conversation, text) {
    const { user, name } = this.#store.me;
    conversation.pending.push(typed(text, { user, name }));
    conversation.freshFrom = "";
    this.#typedAt.delete(conversation.id);
    this.#changed();
    this.pump(conversation);
  }

  retry(conversation, message) {
    Object.assign(message, { state: "waiting", error: "", attemptedAt: 0 });
    this.#changed();
    this.pump(conversation);
  }

  discard(conversation, message) {
    conversation.pending = conversation.pending.filter((other) => other !== message);
    this.#changed();
  }

  /** Tells the others that somebody is typing here; nothing of it is stored. */
  typing(conversation, now = Date.now()) {
    if (now - (this.#typedAt.get(conversation.id) ?? 0) < TYPING_PAUSE) return;
    if (conversation.status !== "joined" || conversation.peer === this.#store.me.user) return;
    this.#typedAt.set(conversation.id, now);
    const room = roomOf(conversation);
    this.#connection.post({ type: "publish", room, event: "typing", data: {}, ephemeral: true, echo: false });
  }

  /** Sends what waits for direct conversations; rooms follow once they have caught up. */
  pumpDirects() {
    for (const conversation of this.#store.directs) this.pump(conversation);
  }

  /** Sends the next message of a conversation, if it is time for one. */
  async pump(conversation) {
    const open = conversation.direct || conversation.ready;
    if (this.#sending.has(conversation.id) || !open || this.#connection.state.phase !== "live") return;
    const message = conversation.pending.find(({ state, accepted }) => state !== "failed" && !accepted);
    if (!message) return;
    this.#sending.add(conversation.id);
    const wait = await this.#attempt(conversation, message);
    this.#sending.delete(conversation.id);
    this.#changed();
    if (wait) setTimeout(() => this.pump(conversation), wait);
    else this.pump(conversation);
  }

  // Returns how long to wait before the next attempt, in milliseconds.
  async #attempt(conversation, message) {
    if (message.attemptedAt && Date.now() - message.attemptedAt > KEY_LIVES && !conversation.whole) {
      Object.assign(message, { state: "failed", error: { code: "unconfirmed" } });
      return 0;
    }
    message.attemptedAt ||= Date.now();
    message.state = "sending";
    this.#changed();
    try {
      const { text } = message.body;
      const ok = await this.#connection.request({ type: "publish", room: roomOf(conversation), data: { text }, key: message.key });
      this.#accepted(conversation, message, ok);
      return 0;
    } catch (failure) {
      message.state = failure.retryable ? "waiting" : "failed";
      message.error = failure.retryable ? "" : failure;
      return failure.retryable ? failure.retryAfter || PAUSE : 0;
    }
  }

  #accepted(conversation, message, ok) {
    if (!conversation.direct) {
      Object.assign(message, { state: "sent", accepted: true });
      return;
    }
    conversation.accept(message, ok);
    this.#store.saveSent(conversation, message);
  }

  #changed() {
    this.#store.saveOutbox();
    this.#store.changed();
  }
}

function roomOf(conversation) {
  return conversation.direct ? inboxOf(conversation.peer) : conversation.id;
}
