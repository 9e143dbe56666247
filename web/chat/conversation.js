// One conversation: a room, or the private messages with one person. Pure data; it neither draws nor sends.

const KEPT = 1000; // lines kept in memory; earlier ones can be fetched again
const TYPING = 4000; // how long somebody is shown as typing after the last sign of it
const NOTICE_CROWD = 20; // in a room with more people nobody wants to read who came and went
const NOTICE_MERGE = 120_000;

export class Conversation {
  /** joining, joined, or out (with `problem`). A direct conversation has no room to join: it lives in two inboxes. */
  status = "joining";
  problem = "";
  /** Confirmed lines in order: messages, gaps and notices. */
  items = [];
  /** What was typed here and is not confirmed yet; shown below everything else. */
  pending = [];
  /** Where delivery stands; the one thing that is needed to resume. */
  position = "";
  /** Messages that the server announced and that have not come yet. */
  behind = 0;
  /** Whether the log goes back further than `items`. */
  earlier = false;
  /** Whether such lines are being fetched. */
  fetching = false;
  /** Whether the room says who is in it, and whether the members below are a list that it gave. */
  peopled = true;
  peopleKnown = false;
  members = new Map();
  count = 0;
  nextMembers = "";
  typing = new Map();
  unread = 0;
  /** The id of the first message that has not been read; it keeps its mark until the reader goes elsewhere. */
  freshFrom = "";
  readUntil = 0;
  draft = "";
  /** A closed direct conversation is not listed until something newer than this comes. */
  closedAt = 0;
  #seen = new Set();

  constructor(id, peer = "") {
    this.id = id;
    this.peer = peer;
  }

  get direct() {
    return this.id.startsWith("@");
  }

  get lastTime() {
    return this.items.at(-1)?.ts ?? 0;
  }

  /** Takes in a message in the order of its room. Returns the line, or null when it was here already. */
  receive(message) {
    if (message.pos && this.#seen.has(message.pos)) return null;
    if (message.pos) this.#seen.add(message.pos);
    this.typing.delete(message.from.user);
    const line = this.#confirmed(message);
    if (this.direct) this.#insertByTime(line);
    else this.items.push(line);
    this.#trim();
    return line;
  }

  /** A private message was accepted: it goes nowhere but here, so this is all there will ever be of it. */
  accept(message, { pos, ts }) {
    this.pending = this.pending.filter((other) => other !== message);
    if (this.items.includes(message)) return;
    Object.assign(message, { state: "sent", ts });
    if (pos) this.#seen.add(pos);
    this.#insertByTime(message);
  }

  /** Puts older messages in front. */
  prepend(messages, more) {
    const fresh = messages.filter((message) => !this.#seen.has(message.pos));
    for (const message of fresh) this.#seen.add(message.pos);
    this.items.unshift(...fresh);
    this.earlier = more;
  }

  /** Marks that messages were missed for good; from here on the log goes on at `position`. */
  addGap(reason, position) {
    this.items.push({ kind: "gap", id: `gap-${position}-${this.items.length}`, reason, ts: this.lastTime });
    this.position = position;
    this.behind = 0;
  }

  /** Fills in what the server still has after the last gap; what has come live since then is put behind it. */
  refill(messages) {
    const gap = this.items.findLastIndex((line) => line.kind === "gap");
    const before = new Set(this.items.slice(0, gap).map((line) => line.pos));
    const known = new Map(this.items.slice(gap + 1).map((line) => [line.pos, line]));
    const filled = messages.filter((message) => !before.has(message.pos));
    const listed = new Set(filled.map((message) => message.pos));
    const live = this.items.slice(gap + 1).filter((line) => !listed.has(line.pos));
    for (const message of filled) this.#seen.add(message.pos);
    const lines = filled.map((message) => known.get(message.pos) ?? this.#confirmed(message));
    this.items.splice(gap + 1, Infinity, ...lines, ...live);
    if (this.direct) this.items.sort((a, b) => a.ts - b.ts);
    this.#settleAccepted(gap);
  }

  /** Notes that somebody came or went; a run of them becomes one line. */
  notice(verb, name, now = Date.now()) {
    if (this.count > NOTICE_CROWD) return;
    const last = this.items.at(-1);
    if (last?.kind === "notice" && last.verb === verb && now - last.ts < NOTICE_MERGE) {
      last.names = [...last.names.filter((other) => other !== name), name];
      last.ts = now;
      return;
    }
    this.items.push({ kind: "notice", id: `notice-${now}-${this.items.length}`, verb, names: [name], ts: now });
    this.#trim();
  }

  /** Replaces who is here. */
  setMembers(members, count) {
    this.members = new Map(members.map((member) => [member.user, member]));
    this.count = Math.max(count, this.members.size);
  }

  addMembers(members) {
    for (const member of members) this.members.set(member.user, member);
  }

  /** Somebody is typing; the sign fades by itself. */
  sawTyping(from, now = Date.now()) {
    this.typing.set(from.user, { name: from.name || from.user, until: now + TYPING });
  }

  /** Names of those who type now, and when the next of them stops being shown (0: nobody). */
  typists(now = Date.now()) {
    for (const [user, { until }] of this.typing) if (until <= now) this.typing.delete(user);
    const all = [...this.typing.values()];
    return { names: all.map(({ name }) => name), next: Math.min(...all.map(({ until }) => until), Infinity) };
  }

  markUnread(line) {
    if (!this.unread) this.freshFrom = line.id;
    this.unread++;
  }

  markRead() {
    this.unread = 0;
    for (const line of this.items) if (line.kind === "message" && line.ts > this.readUntil) this.readUntil = line.ts;
  }

  // An own message that comes back is the one that was typed here: same line, now in its place.
  #confirmed(message) {
    const at = message.key ? this.pending.findIndex((other) => other.key === message.key) : -1;
    if (at < 0) return message;
    const [line] = this.pending.splice(at, 1);
    return Object.assign(line, { pos: message.pos, ts: message.ts, from: message.from, state: "sent", error: "" });
  }

  // Private messages come from two logs, theirs and ours; the server's clock is the order that both share.
  #insertByTime(line) {
    let at = this.items.length;
    while (at > 0 && this.items[at - 1].ts > line.ts) at--;
    this.items.splice(at, 0, line);
  }

  // What the server accepted and the log no longer shows stands in front of the gap, where it belongs.
  #settleAccepted(gap) {
    this.items.splice(Math.max(gap, 0), 0, ...this.pending.filter((message) => message.accepted));
    this.pending = this.pending.filter((message) => !message.accepted);
  }

  #trim() {
    if (this.items.length <= KEPT) return;
    for (const line of this.items.splice(0, this.items.length - KEPT)) this.#seen.delete(line.pos);
    this.earlier = true;
  }
}
