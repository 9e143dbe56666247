// How the chat page stays in its rooms: against a socket whose server side the test plays.

import assert from "node:assert/strict";
import { beforeEach, afterEach, mock, test } from "node:test";

const from = (name) => import(new URL(`../../web/chat/${name}`, import.meta.url));
const { Membership } = await from("membership.js");
const { Outbox } = await from("outbox.js");
const { Saved } = await from("saved.js");
const { Store } = await from("store.js");

// Plays both the connection and the server: a request waits until the test answers it.
class Line {
  state = { phase: "live" };
  sent = [];
  request(envelope) {
    return new Promise((resolve, reject) => this.sent.push({ envelope, resolve, reject }));
  }
  post() {}
  last(type) {
    return this.sent.findLast(({ envelope }) => envelope.type === type);
  }
  async answers(request, ok) {
    request.resolve({ type: "ok", ...ok });
    await settle();
  }
  async refuses(request, error) {
    request.reject({ retryable: false, retryAfter: 0, ...error });
    await settle();
  }
}

const settle = async () => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

const WELCOME = { user: "ana", inbox: "@ana", ts: 1_000_000 };
const message = (n, more = {}) => ({ type: "message", room: "lobby", pos: `e.${n}.c`, from: { user: "ben", name: "Ben" }, ts: 1_000_000 + n, data: { text: `m${n}` }, ...more });

function begin(welcome = WELCOME) {
  const saved = () => new Saved(null);
  const store = new Store({ lasting: saved(), tab: saved() });
  const line = new Line();
  const membership = new Membership(store, line, new Outbox(store, line));
  store.activate("lobby");
  membership.welcomed(welcome);
  const joins = () => line.sent.filter(({ envelope }) => envelope.type === "join").map(({ envelope }) => envelope);
  return { store, line, membership, joins, room: store.ensure("lobby"), join: () => line.sent.findLast(({ envelope }) => envelope.room === "lobby" && envelope.type === "join") };
}

const texts = ({ items }) => items.map((item) => item.body?.text ?? item.kind);

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 }));
afterEach(() => mock.timers.reset());

test("a first visit asks for the newest messages, a return for what was missed", async () => {
  const { line, membership, joins, join } = begin();
  assert.deepEqual(joins(), [{ type: "join", room: "@ana", last: 200 }, { type: "join", room: "lobby", presence: true, last: 50 }]);
  await line.answers(line.sent[0], { room: "@ana", pos: "i.4.c", head: "i.4.c", count: 0 });
  await line.answers(join(), { room: "lobby", pos: "e.0.c", head: "e.2.c", count: 2, members: [], present: 0 });
  membership.push(message(1));
  membership.push(message(2));
  membership.push(message(3, { room: "@ana", pos: "i.5.c" }));
  membership.lost();
  membership.welcomed(WELCOME);
  assert.deepEqual(joins().slice(2), [{ type: "join", room: "@ana", since: "i.5.c" }, { type: "join", room: "lobby", presence: true, since: "e.2.c" }]);
});

test("the visible room is joined first", () => {
  const { store, membership, joins } = begin();
  for (const id of ["second", "third"]) store.ensure(id);
  store.activate("third");
  membership.welcomed(WELCOME);
  assert.deepEqual(joins().slice(-4).map(({ room }) => room), ["@ana", "third", "lobby", "second"]);
});

test("what is typed on a new connection waits until the room was joined there", async () => {
  const { store, line, membership, room, join } = begin();
  await line.answers(join(), { pos: "e.0.c", head: "e.0.c", count: 0 });
  membership.lost();
  membership.welcomed(WELCOME);
  new Outbox(store, line).send(room, "typed");
  assert.equal(line.last("publish"), undefined);
  await line.answers(join(), { pos: "e.0.c", head: "e.0.c", count: 0, recovered: true });
  assert.ok(line.last("publish"));
});

test("behind a gap an old message of unknown outcome is not repeated, after a whole replay it is", async () => {
  for (const recovered of [true, false]) {
    const { line, membership, room, join } = begin();
    await line.answers(join(), { pos: "e.0.c", head: "e.0.c", count: 0 });
    membership.lost();
    const attemptedAt = Date.now() - 271_000;
    room.pending.push({ kind: "message", id: "k", key: "k", from: {}, ts: 1, own: true, state: "waiting", body: { kind: "text", text: "old" }, attemptedAt });
    membership.welcomed(WELCOME);
    await line.answers(join(), { pos: "e.9.c", head: "e.9.c", count: 0, recovered, reason: "expired" });
    if (!recovered) await line.answers(line.last("history"), { messages: [] });
    assert.equal(line.last("publish") !== undefined, recovered);
  }
});

test("what was typed waits until the room has caught up", async () => {
  const { store, line, membership, room, join } = begin();
  new Outbox(store, line).send(room, "typed while away");
  await line.answers(join(), { pos: "e.0.c", head: "e.2.c", count: 2 });
  membership.push(message(1));
  assert.equal(line.last("publish"), undefined);
  membership.push(message(2));
  assert.equal(line.last("publish").envelope.data.text, "typed while away");
});

test("what was typed is not sent again when the replay brings it", async () => {
  const { store, line, membership, room, join } = begin();
  new Outbox(store, line).send(room, "mine");
  await line.answers(join(), { pos: "e.0.c", head: "e.1.c", count: 1 });
  membership.push(message(1, { from: { user: "ana" }, key: room.pending[0].key, data: { text: "mine" } }));
  assert.equal(line.last("publish"), undefined);
  assert.deepEqual([texts(room), room.pending], [["mine"], []]);
});

test("a replay that stays away does not hold up what was typed", async () => {
  const { store, line, room, join } = begin();
  new Outbox(store, line).send(room, "typed");
  await line.answers(join(), { pos: "e.0.c", head: "e.2.c", count: 2 });
  mock.timers.tick(3000);
  assert.ok(line.last("publish"));
});

test("a resume that cannot be proven shows the gap, and what the server still has", async () => {
  const { line, membership, room, join } = begin();
  await line.answers(join(), { pos: "e.0.c", head: "e.1.c", count: 1 });
  membership.push(message(1));
  membership.lost();
  membership.welcomed(WELCOME);
  await line.answers(join(), { pos: "f.9.c", head: "f.9.c", count: 0, recovered: false, reason: "epoch" });
  membership.push(message(10, { pos: "f.10.c" }));
  await line.answers(line.last("history"), { messages: [message(8, { pos: "f.8.c" }), message(9, { pos: "f.9.c" })], pos: "f.9.c" });
  assert.deepEqual(texts(room), ["m1", "gap", "m8", "m9", "m10"]);
  assert.equal(room.position, "f.10.c");
});

test("a gap in a running room is shown and filled as far as it goes", async () => {
  const { line, membership, room, join } = begin();
  await line.answers(join(), { pos: "e.0.c", head: "e.0.c", count: 0 });
  membership.push({ type: "gap", room: "lobby", reason: "lagged", pos: "e.7.c" });
  await line.refuses(line.last("history"), { code: "overloaded", retryable: true });
  membership.push(message(8));
  assert.deepEqual(texts(room), ["gap", "m8"]);
  assert.equal(room.items[0].reason, "lagged");
});

test("missing private messages are shown in every private conversation", async () => {
  const { store, line, membership } = begin();
  await line.answers(line.sent[0], { pos: "i.0.c", head: "i.0.c", count: 0 });
  membership.push(message(1, { room: "@ana", pos: "i.1.c" }));
  membership.lost();
  membership.welcomed(WELCOME);
  await line.answers(line.sent.findLast(({ envelope }) => envelope.room === "@ana"), { pos: "j.3.c", head: "j.3.c", count: 0, recovered: false, reason: "expired" });
  const cleo = { user: "cleo", name: "Cleo" };
  await line.answers(line.last("history"), { messages: [message(2, { pos: "j.2.c" }), message(3, { pos: "j.3.c", from: cleo })], pos: "j.3.c" });
  assert.deepEqual(store.directs.map((direct) => [direct.id, texts(direct)]), [["@ben", ["m1", "gap", "m2"]], ["@cleo", ["m3"]]]);
});

test("a room without presence is joined without it", async () => {
  const { line, room, join, joins } = begin();
  await line.refuses(join(), { code: "presence_disabled" });
  assert.deepEqual(joins().at(-1), { type: "join", room: "lobby", presence: false, last: 50 });
  await line.answers(join(), { pos: "e.0.c", head: "e.0.c", count: 0 });
  assert.deepEqual([room.status, room.peopled], ["joined", false]);
});

test("a refused join says why; one that may succeed later is tried again", async () => {
  const { line, room, join, joins } = begin();
  await line.refuses(join(), { code: "rate_limited", retryable: true, retryAfter: 2000 });
  mock.timers.tick(1999);
  assert.equal(joins().length, 2);
  mock.timers.tick(1);
  assert.equal(joins().length, 3);
  await line.refuses(join(), { code: "forbidden" });
  assert.deepEqual([room.status, room.problem], ["out", "This room is not open to you."]);
});

test("somebody who was kicked is told why and for how long", async () => {
  const { line, membership, room, join } = begin();
  await line.answers(join(), { pos: "e.0.c", head: "e.0.c", count: 0, present: 1, members: [{ user: "ana" }] });
  membership.push({ type: "kicked", room: "lobby", reason: "spam", for: 59.2 });
  assert.deepEqual([room.status, room.ready, room.count], ["out", false, 0]);
  assert.equal(room.problem, "You were taken out of this room: spam. You can come back in 60 seconds.");
});

test("presence follows the server: the list, who came and went, and large rooms by the second", async () => {
  const { line, membership, room, join } = begin();
  await line.answers(join(), { pos: "e.0.c", head: "e.0.c", count: 0, present: 2, members: [{ user: "ana" }, { user: "ben", name: "Ben" }] });
  membership.push({ type: "user_joined", room: "lobby", user: "cleo", name: "Cleo", count: 3 });
  membership.push({ type: "user_left", room: "lobby", user: "ben", count: 2 });
  assert.deepEqual([[...room.members.keys()], room.count], [["ana", "cleo"], 2]);
  membership.push({ type: "presence", room: "lobby", count: 300 });
  assert.deepEqual([room.members.size, room.count], [2, 300]);
  membership.push({ type: "presence", room: "lobby", count: 301, members: [{ user: "dan" }] });
  assert.deepEqual([[...room.members.keys()], room.count], [["dan"], 301]);
});

test("what came before this visit is read, what comes elsewhere is not", async () => {
  const { store, line, membership, join } = begin();
  const other = store.ensure("other");
  await line.answers(join(), { pos: "e.0.c", head: "e.1.c", count: 1 });
  membership.push(message(1, { room: "other", pos: "o.1.c", ts: 999_999 }));
  assert.equal(other.unread, 0);
  membership.push(message(2, { room: "other", pos: "o.2.c" }));
  membership.push(message(3, { room: "other", pos: "o.3.c" }));
  membership.push(message(4, { room: "other", pos: "o.4.c", from: { user: "ana" } }));
  assert.deepEqual([other.unread, other.freshFrom], [2, "o.2.c"]);
  store.activate("other");
  assert.deepEqual([other.unread, other.freshFrom, other.readUntil], [0, "o.2.c", 1_000_004]);
  store.activate("lobby");
  assert.equal(other.freshFrom, "");
});

test("another user than before has an inbox of their own", async () => {
  const { store, line, membership, joins } = begin();
  await line.answers(line.sent[0], { pos: "i.0.c", head: "i.0.c", count: 0 });
  membership.push(message(1, { room: "@ana", pos: "i.1.c" }));
  assert.equal(store.directs.length, 1);
  membership.welcomed({ user: "zoe", inbox: "@zoe", ts: 1_000_000 });
  assert.deepEqual(joins().at(-2), { type: "join", room: "@zoe", last: 200 });
  assert.equal(store.directs.length, 0);
});
