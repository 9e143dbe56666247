// Keeps the page in its rooms: joins, resumes after a cut, takes in what the server pushes, and says when something
// was missed.

import { received } from "./message.js";
import { inboxOf, sentence } from "./protocol.js";

const FIRST = 50; // messages shown on a first join, and fetched at a time afterwards
const INBOX = 200; // private messages looked through on a first join
const PATIENCE = 3000; // for a replay to be complete; what was typed is not held back longer

export class Membership {
  #store;
  #connection;
  #outbox;
  #session = 0;

  constructor(store, connection, outbox) {
    this.#store = store;
    this.#connection = connection;
    this.#outbox = outbox;
  }

  /** A session began: join the inbox and every room, the visible one first, each from where it stopped. */
  welcomed(welcome) {
    this.#session++;
    this.#store.identify(welcome);
    this.#joinInbox();
    const rooms = this.#store.rooms.sort((a, b) => (b.id === this.#store.active) - (a.id === this.#store.active));
    for (const room of rooms) this.join(room);
    this.#outbox.pumpDirects();
  }

  /** The connection ended: nothing is certain until the next join. */
  lost() {
    for (const conversation of this.#store.conversations.values()) {
      conversation.ready = false;
      conversation.typing.clear();
    }
  }

  /** Joins a room, or comes back to it. */
  async join(conversation) {
    if (this.#connection.state.phase !== "live") return;
    const from = conversation.position;
    conversation.status = "joining";
    this.#store.changed();
    try {
      const request = { type: "join", room: conversation.id, presence: conversation.peopled };
      this.#joined(conversation, from, await this.#connection.request({ ...request, ...(from ? { since: from } : { last: FIRST }) }));
    } catch (failure) {
      this.#refused(conversation, failure);
    }
    this.#store.changed();
  }

  leave(conversation) {
    this.#connection.post({ type: "leave", room: conversation.id });
  }

  /** Fetches what was said before the oldest line. */
  async fetchEarlier(conversation) {
    const oldest = conversation.items.find((line) => line.pos);
    if (!oldest) return;
    const page = await this.#history({ room: conversation.id, before: oldest.pos, limit: FIRST });
    conversation.prepend(page.messages.map((message) => received(message, this.#store.me.user)), page.more === true);
    for (const { from } of page.messages) this.#store.learn(from.user, from.name);
    this.#store.changed();
  }

  /** Fetches more of who is here. */
  async fetchMembers(conversation) {
    const { id: room, nextMembers: next } = conversation;
    const page = await this.#connection.request({ type: "presence", room, ...(next ? { next } : {}) });
    conversation.addMembers(page.members ?? []);
    conversation.count = page.count;
    conversation.nextMembers = page.next ?? "";
    this.#store.changed();
  }

  /** Takes in what the server sent without being asked. */
  push(envelope) {
    const conversation = this.#store.conversations.get(envelope.room);
    const toInbox = envelope.room === this.#store.inbox.id;
    if (envelope.type === "message") this.#message(toInbox ? this.#inboxConversation(envelope) : conversation, envelope);
    else if (envelope.type === "gap" && toInbox) this.#inboxGap(envelope);
    else if (conversation) this.#roomPush(conversation, envelope);
    else return;
    this.#store.changed();
  }

  #roomPush(conversation, envelope) {
    const { type, user, name, count, members } = envelope;
    if (type === "gap") this.#gap(conversation, envelope);
    if (type === "kicked") this.#kicked(conversation, envelope);
    if (type === "presence") this.#present(conversation, members, count);
    if (type !== "user_joined" && type !== "user_left") return;
    this.#store.learn(user, name);
    conversation.count = count;
    if (type === "user_joined") conversation.addMembers([{ user, name }]);
    else conversation.members.delete(user);
    if (type === "user_left") conversation.typing.delete(user);
    if (user !== this.#store.me.user) conversation.notice(type === "user_joined" ? "joined" : "left", this.#store.nameOf(user));
  }

  #message(conversation, envelope) {
    if (!conversation) return;
    const { pos, event, from = {} } = envelope;
    const own = from.user === this.#store.me.user;
    if (event === "typing" && !pos) {
      if (!own) conversation.sawTyping(from);
      return;
    }
    const line = conversation.receive(received({ ...envelope, from }, this.#store.me.user));
    if (line) this.#store.note(conversation, line);
    if (own) this.#store.saveOutbox();
    if (!pos) return;
    if (conversation.direct) {
      this.#store.inbox.position = pos;
      return;
    }
    conversation.position = pos;
    if (conversation.behind > 0) conversation.behind = pos === conversation.head ? 0 : conversation.behind - 1;
    if (!conversation.behind) this.#caughtUp(conversation);
  }

  #joined(conversation, from, ok) {
    if (ok.already) return;
    const { pos, head, count = 0, members, present } = ok;
    Object.assign(conversation, { status: "joined", problem: "", position: pos, head, behind: count, whole: from !== "" });
    if (members) this.#present(conversation, members, present ?? members.length);
    if (from && !ok.recovered) return this.#gap(conversation, ok);
    if (!from) conversation.earlier = count >= FIRST;
    if (!count) return this.#caughtUp(conversation);
    this.#later(PATIENCE, () => this.#caughtUp(conversation));
  }

  #refused(conversation, failure) {
    if (failure.code === "disconnected") return; // the next session joins again
    if (failure.code === "presence_disabled") {
      conversation.peopled = false;
      return this.join(conversation);
    }
    if (failure.retryable) return this.#later(failure.retryAfter || 1000, () => this.join(conversation));
    const problem = failure.code === "forbidden" ? "This room is not open to you." : sentence(failure);
    Object.assign(conversation, { status: "out", problem });
  }

  #kicked(conversation, { reason, for: seconds }) {
    const why = reason ? `: ${reason}.` : ".";
    const until = seconds ? ` You can come back in ${Math.ceil(seconds)} seconds.` : "";
    Object.assign(conversation, { status: "out", ready: false, problem: `You were taken out of this room${why}${until}` });
    conversation.setMembers([], 0);
  }

  #present(conversation, members, count) {
    for (const { user, name } of members ?? []) this.#store.learn(user, name);
    if (members) conversation.setMembers(members, count);
    else conversation.count = count;
    conversation.nextMembers = "";
  }

  #caughtUp(conversation) {
    conversation.behind = 0;
    conversation.ready = true;
    this.#outbox.pump(conversation);
  }

  // Something was missed for good: say so, then show what there is.
  async #gap(conversation, { reason, pos }) {
    conversation.addGap(reason, pos);
    const page = await this.#history({ room: conversation.id, limit: FIRST });
    conversation.refill(page.messages.map((message) => received(message, this.#store.me.user)));
    this.#caughtUp(conversation);
    this.#store.changed();
  }

  async #joinInbox() {
    const { inbox } = this.#store;
    const from = inbox.position;
    try {
      const ok = await this.#connection.request({ type: "join", room: inbox.id, ...(from ? { since: from } : { last: INBOX }) });
      inbox.position = ok.pos ?? inbox.position;
      if (from && ok.recovered === false) this.#inboxGap(ok);
    } catch (failure) {
      if (failure.retryable && failure.code !== "disconnected") this.#later(failure.retryAfter || 1000, () => this.#joinInbox());
    }
  }

  async #inboxGap({ reason, pos }) {
    const { inbox, me, directs } = this.#store;
    inbox.position = pos;
    for (const conversation of directs) conversation.addGap(reason, pos);
    const page = await this.#history({ room: inbox.id, limit: INBOX });
    for (const message of page.messages) this.#inboxConversation(message);
    for (const conversation of this.#store.directs) {
      const theirs = page.messages.filter(({ from }) => inboxOf(from.user) === conversation.id);
      conversation.refill(theirs.map((message) => received(message, me.user)));
    }
    this.#store.changed();
  }

  #inboxConversation({ event, pos, from }) {
    const id = inboxOf(from?.user ?? "");
    return event === "typing" && !pos ? this.#store.conversations.get(id) : this.#store.ensure(id);
  }

  // A page of history; none when it cannot be had: the gap above it stays visible.
  async #history(query) {
    try {
      const page = await this.#connection.request({ type: "history", ...query });
      return { messages: page.messages ?? [], more: page.more };
    } catch {
      return { messages: [], more: true };
    }
  }

  #later(wait, then) {
    const session = this.#session;
    setTimeout(() => session === this.#session && this.#connection.state.phase === "live" && then(), wait);
  }
}
