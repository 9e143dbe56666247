// Keeps the page in its rooms: joins them with each client, takes in what comes, and says when something was missed. How
// a room comes back after a lost connection, with all that it missed, is the client's.

import { received } from "./message.js";
import { inboxOf, problemText } from "./protocol.js";

const FIRST = 50; // messages shown on a first join, and fetched at a time afterwards
const INBOX = 200; // private messages looked through on a first join
const PATIENCE = 3000; // for a replay to be complete, until nothing is called busy any more

export class Membership {
  #store;
  #client = null;
  #rooms = new Map();

  constructor(store) {
    this.#store = store;
  }

  /** How a client has to join the inbox: from where it stopped. */
  get inboxOptions() {
    const { position } = this.#store.inbox;
    return position ? { since: position } : { last: INBOX };
  }

  /** A client begins: it joins every room, the visible one first, each from where it stopped. */
  began(client) {
    this.#client = client;
    this.#rooms.clear();
    client.inbox.on("message", (message) => this.#private(message));
    client.inbox.on("gap", (gap) => this.#privateGap(gap));
    const rooms = this.#store.rooms.sort((a, b) => (b.id === this.#store.active) - (a.id === this.#store.active));
    for (const room of rooms) this.join(room);
  }

  /** The connection ended: nothing is certain until the next join. */
  lost() {
    for (const conversation of this.#store.conversations.values()) {
      conversation.typing.clear();
      if (!conversation.direct && conversation.status === "joined") conversation.status = "joining";
    }
  }

  /** Joins a room, or comes back to it. */
  join(conversation) {
    if (!this.#client || this.#client.state === "closed") return;
    const { id, position, peopled } = conversation;
    conversation.status = "joining";
    const room = this.#client.room(id, { presence: peopled, ...(position ? { since: position } : { last: FIRST }) });
    if (this.#rooms.get(id) !== room) this.#follow(conversation, room);
    this.#store.changed();
  }

  leave(conversation) {
    this.#rooms.get(conversation.id)?.leave();
    this.#rooms.delete(conversation.id);
  }

  /** Fetches what was said before the oldest line. */
  async fetchEarlier(conversation) {
    const oldest = conversation.items.find((line) => line.pos);
    const room = this.#rooms.get(conversation.id);
    if (!oldest || !room || conversation.fetching) return;
    conversation.fetching = true;
    const page = await history(room, { before: oldest.pos, limit: FIRST });
    conversation.fetching = false;
    conversation.prepend(this.#lines(page.messages), page.more);
    for (const { from } of page.messages) this.#store.learn(from.user, from.name);
    this.#store.changed();
  }

  /** Fetches more of who is here. */
  async fetchMembers(conversation) {
    const page = await this.#rooms.get(conversation.id).presence({ next: conversation.nextMembers || undefined });
    conversation.addMembers(page.members);
    conversation.count = page.count;
    conversation.nextMembers = page.next ?? "";
    this.#store.changed();
  }

  #follow(conversation, room) {
    this.#rooms.set(conversation.id, room);
    const current = (take) => (event) => {
      if (this.#rooms.get(conversation.id) !== room) return;
      take(event);
      this.#store.changed();
    };
    room.on("joined", current((joined) => this.#joined(conversation, joined)));
    room.on("message", current((message) => this.#message(conversation, message)));
    room.on("gap", current((gap) => this.#gap(conversation, room, gap)));
    room.on("presence", current((presence) => this.#present(conversation, presence)));
    room.on("left", current((error) => this.#left(conversation, error)));
  }

  #joined(conversation, { pos, count }) {
    if (!conversation.position) conversation.earlier = count >= FIRST;
    Object.assign(conversation, { status: "joined", problem: "", position: pos, behind: count, peopleKnown: false });
    setTimeout(() => {
      conversation.behind = 0;
      this.#store.changed();
    }, PATIENCE);
  }

  #message(conversation, message) {
    const line = this.#take(conversation, message);
    if (!message.pos) return;
    conversation.position = message.pos;
    conversation.behind = Math.max(0, conversation.behind - 1);
    if (line?.own) this.#store.saveOutbox();
  }

  // Takes a message into a conversation; what is not stored is somebody typing.
  #take(conversation, message) {
    const from = message.from ?? {};
    if (message.event === "typing" && !message.pos) {
      if (from.user !== this.#store.me.user) conversation.sawTyping(from);
      return null;
    }
    const line = conversation.receive(received(message, this.#store.me.user));
    if (line) this.#store.note(conversation, line);
    return line;
  }

  // Something was missed for good: say so, then show what there is.
  async #gap(conversation, room, { reason, pos }) {
    conversation.addGap(reason, pos);
    const page = await history(room, { limit: FIRST });
    conversation.refill(this.#lines(page.messages));
    this.#store.changed();
  }

  #present(conversation, { count, members }) {
    const before = conversation.members;
    for (const { user, name } of members) this.#store.learn(user, name);
    conversation.setMembers(members, count);
    conversation.nextMembers = "";
    if (conversation.peopleKnown) this.#notice(conversation, before);
    conversation.peopleKnown = members.length > 0;
  }

  // Who came and went since the list before.
  #notice(conversation, before) {
    const { members } = conversation;
    const others = (list, known) => [...list.keys()].filter((user) => !known.has(user) && user !== this.#store.me.user);
    if (!members.size) return; // too many to be told by name
    for (const user of others(members, before)) conversation.notice("joined", this.#store.nameOf(user));
    for (const user of others(before, members)) {
      conversation.typing.delete(user);
      conversation.notice("left", this.#store.nameOf(user));
    }
  }

  #left(conversation, error) {
    if (!error || this.#client.state === "closed") return;
    this.#rooms.delete(conversation.id);
    if (error.code === "presence_disabled") {
      conversation.peopled = false;
      return this.join(conversation);
    }
    conversation.setMembers([], 0);
    Object.assign(conversation, { status: "out", problem: problemOf(error) });
  }

  #private(message) {
    const { event, pos, from } = message;
    const id = inboxOf(from?.user ?? "");
    const conversation = event === "typing" && !pos ? this.#store.conversations.get(id) : this.#store.ensure(id);
    if (conversation) this.#take(conversation, message);
    if (pos) this.#store.inbox.position = pos;
    this.#store.changed();
  }

  async #privateGap({ reason, pos }) {
    this.#store.inbox.position = pos;
    for (const conversation of this.#store.directs) conversation.addGap(reason, pos);
    const { messages } = await history(this.#client.inbox, { limit: INBOX });
    for (const { from } of messages) this.#store.ensure(inboxOf(from.user));
    for (const conversation of this.#store.directs) {
      conversation.refill(this.#lines(messages.filter(({ from }) => inboxOf(from.user) === conversation.id)));
    }
    this.#store.changed();
  }

  #lines(messages) {
    return messages.map((message) => received(message, this.#store.me.user));
  }
}

// A page of history; none when it cannot be had: the gap above it stays visible.
async function history(room, query) {
  try {
    return await room.history(query);
  } catch {
    return { messages: [], more: true };
  }
}

// Why one is out of a room, for people.
function problemOf({ code, message, retryAfterMs }) {
  if (code === "forbidden") return "This room is not open to you.";
  if (code !== "kicked") return problemText({ code, message });
  const why = message.replace(/^kicked for [\d.]+ s:? ?/, "");
  const until = retryAfterMs ? ` You can come back in ${Math.ceil(retryAfterMs / 1000)} seconds.` : "";
  return `You were taken out of this room${why ? `: ${why}` : ""}.${until}`;
}
