// Sends what was typed: gives it to the client once there is a connection, and keeps it until it is settled, over reloads.

import { inboxOf } from "./protocol.js";
import { typed } from "./message.js";

const KEY_LIVES = 270_000; // the server knows a key again for 5 minutes; after that a repeat would be stored twice
const PAUSE = 1000; // before what may succeed later is tried anew
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
    if (conversation.status !== "joined" || conversation.peer === this.#store.me.user || !this.#live) return;
    this.#typedAt.set(conversation.id, now);
    const lost = () => {}; // nobody waits for it
    this.#connection.client.publish(roomOf(conversation), {}, { event: "typing", ephemeral: true, echo: false }).catch(lost);
  }

  /** Gives the client all that waits. */
  pumpAll() {
    for (const conversation of this.#store.conversations.values()) this.pump(conversation);
  }

  /** Gives the client what waits in a conversation. The client keeps the order, repeats what it must, and nothing twice. */
  pump(conversation) {
    if (!this.#live) return;
    for (const message of conversation.pending) {
      if (message.state === "waiting" && !this.#sending.has(message)) this.#publish(conversation, message);
    }
  }

  get #live() {
    return this.#connection.state.phase === "live";
  }

  async #publish(conversation, message) {
    if (message.attemptedAt && Date.now() - message.attemptedAt > KEY_LIVES) return this.#failed(message, { code: "unconfirmed" });
    message.attemptedAt ||= Date.now();
    message.state = "sending";
    this.#sending.add(message);
    this.#changed();
    try {
      const { text } = message.body;
      this.#accepted(conversation, message, await this.#connection.client.publish(roomOf(conversation), { text }, { key: message.key }));
    } catch (error) {
      this.#refused(conversation, message, error);
    }
    this.#sending.delete(message);
    this.#changed();
  }

  // A client that was closed has not told what became of it; whoever comes after it finds out, by the key.
  #refused(conversation, message, error) {
    if (!error.retryable && error.code !== "closed") return this.#failed(message, error);
    if (!error.uncertain) message.attemptedAt = 0;
    message.state = "waiting";
    setTimeout(() => this.pump(conversation), PAUSE);
  }

  #failed(message, error) {
    Object.assign(message, { state: "failed", error });
    this.#changed();
  }

  #accepted(conversation, message, published) {
    if (!conversation.direct) {
      Object.assign(message, { state: "sent", accepted: true });
      return;
    }
    conversation.accept(message, published.ts ? published : { ts: message.ts });
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
