// How the chat page is in its rooms: with rooms of a client that the test plays.

import assert from "node:assert/strict";
import { beforeEach, afterEach, mock, test } from "node:test";

const from = (name) => import(new URL(`../../web/chat/${name}`, import.meta.url));
const { Membership } = await from("membership.js");
const { Store } = await from("store.js");
const { Saved } = await import(new URL("../../web/parts/saved.js", import.meta.url));

class Room {
  listeners = {};
  asked = [];
  constructor(name, options) {
    Object.assign(this, { name, options });
  }
  on(event, listener) {
    this.listeners[event] = listener;
  }
  tells(event, value) {
    this.listeners[event](value);
  }
  history(query) {
    return new Promise((resolve, reject) => this.asked.push({ query, resolve, reject }));
  }
  leave() {
    this.left = true;
  }
  async answers(page) {
    this.asked.at(-1).resolve({ more: false, ...page });
    await settle();
  }
}

class Client {
  state = "connecting";
  rooms = [];
  inbox = new Room("");
  room(name, options) {
    const known = this.rooms.find((room) => room.name === name && !room.ended);
    if (known) return known;
    this.rooms.push(new Room(name, options));
    return this.rooms.at(-1);
  }
  get(name) {
    return this.rooms.findLast((room) => room.name === name);
  }
  refuses(name, error) {
    const room = this.get(name);
    room.ended = true;
    room.tells("left", error);
  }
}

const settle = async () => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

const message = (n, more = {}) => ({ type: "message", room: "lobby", pos: `e.${n}.c`, from: { user: "ben", name: "Ben" }, ts: 1_000_000 + n, data: { text: `m${n}` }, ...more });
const WELCOME = { user: "ana", inbox: "@ana", ts: 1_000_000 };

function begin() {
  const saved = () => new Saved(null);
  const store = new Store({ lasting: saved(), tab: saved() });
  const membership = new Membership(store);
  store.activate("lobby");
  const client = again({ store, membership });
  return { store, membership, client, room: store.ensure("lobby"), lobby: client.get("lobby") };
}

// Another client, on which the same page goes on.
function again({ store, membership }) {
  const client = new Client();
  membership.began(client);
  store.identify(WELCOME);
  return client;
}

const texts = ({ items }) => items.map((item) => item.body?.text ?? item.kind);

beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 }));
afterEach(() => mock.timers.reset());

test("a first visit asks for the newest messages, another client for what was missed", () => {
  const { store, membership, lobby, client } = begin();
  assert.deepEqual([lobby.options, membership.inboxOptions], [{ presence: true, last: 50 }, { last: 200 }]);
  lobby.tells("joined", { pos: "e.0.c", head: "e.2.c", count: 2 });
  lobby.tells("message", message(1));
  lobby.tells("message", message(2));
  client.inbox.tells("message", message(3, { room: "@ana", pos: "i.5.c" }));
  const next = again({ store, membership });
  assert.deepEqual([next.get("lobby").options, membership.inboxOptions], [{ presence: true, since: "e.2.c" }, { since: "i.5.c" }]);
});

test("the visible room is joined first, and a room twice is one", () => {
  const { store, membership } = begin();
  for (const id of ["second", "third"]) store.ensure(id);
  store.activate("third");
  const client = again({ store, membership });
  assert.deepEqual(client.rooms.map(({ name }) => name), ["third", "lobby", "second"]);
  membership.join(store.ensure("second"));
  assert.equal(client.rooms.length, 3);
});

test("a room that a client has left, or that an earlier client was in, says nothing more", () => {
  const { store, membership, room, lobby } = begin();
  again({ store, membership });
  lobby.tells("message", message(1));
  assert.deepEqual(room.items, []);
});

test("a first join knows whether there was more before it", () => {
  for (const [count, earlier] of [[50, true], [49, false]]) {
    const { room, lobby } = begin();
    lobby.tells("joined", { pos: "e.0.c", head: "e.50.c", count });
    assert.deepEqual([room.status, room.earlier], ["joined", earlier]);
  }
});

test("a replay is busy until it is complete, or stays away", () => {
  const { room, lobby } = begin();
  lobby.tells("joined", { pos: "e.0.c", head: "e.2.c", count: 2 });
  lobby.tells("message", message(1));
  assert.equal(room.behind, 1);
  mock.timers.tick(3000);
  assert.equal(room.behind, 0);
});

test("earlier messages are fetched once at a time, in front of what is there", async () => {
  const { membership, room, lobby } = begin();
  lobby.tells("joined", { pos: "e.2.c", head: "e.3.c", count: 1 });
  lobby.tells("message", message(3));
  membership.fetchEarlier(room);
  membership.fetchEarlier(room);
  assert.deepEqual(lobby.asked.map(({ query }) => query), [{ before: "e.3.c", limit: 50 }]);
  await lobby.answers({ messages: [message(1), message(2)], more: true });
  assert.deepEqual([texts(room), room.earlier], [["m1", "m2", "m3"], true]);
});

test("a gap is shown, and what the server still has", async () => {
  const { room, lobby } = begin();
  lobby.tells("joined", { pos: "e.0.c", head: "e.1.c", count: 1 });
  lobby.tells("message", message(1));
  lobby.tells("gap", { reason: "epoch", pos: "f.9.c" });
  lobby.tells("message", message(10, { pos: "f.10.c" }));
  await lobby.answers({ messages: [message(8, { pos: "f.8.c" }), message(9, { pos: "f.9.c" })] });
  assert.deepEqual(texts(room), ["m1", "gap", "m8", "m9", "m10"]);
  assert.equal(room.position, "f.10.c");
});

test("a gap that cannot be filled stays a gap", async () => {
  const { room, lobby } = begin();
  lobby.tells("gap", { reason: "lagged", pos: "e.7.c" });
  lobby.asked[0].reject(new Error("gone"));
  await settle();
  lobby.tells("message", message(8));
  assert.deepEqual([texts(room), room.items[0].reason], [["gap", "m8"], "lagged"]);
});

test("missing private messages are shown in every private conversation", async () => {
  const { store, client } = begin();
  client.inbox.tells("message", message(1, { room: "@ana", pos: "i.1.c" }));
  client.inbox.tells("gap", { reason: "expired", pos: "j.3.c" });
  const cleo = { user: "cleo", name: "Cleo" };
  await client.inbox.answers({ messages: [message(2, { pos: "j.2.c" }), message(3, { pos: "j.3.c", from: cleo })] });
  assert.deepEqual(store.directs.map((direct) => [direct.id, texts(direct)]), [["@ben", ["m1", "gap", "m2"]], ["@cleo", ["m3"]]]);
  assert.equal(store.inbox.position, "j.3.c");
});

test("a room without presence is joined without it", () => {
  const { client, room } = begin();
  client.refuses("lobby", { code: "presence_disabled" });
  assert.deepEqual(client.get("lobby").options, { presence: false, last: 50 });
  client.get("lobby").tells("joined", { pos: "e.0.c", head: "e.0.c", count: 0 });
  assert.deepEqual([room.status, room.peopled], ["joined", false]);
});

test("a refused join says why; the end of the client does not", () => {
  const { client, room } = begin();
  client.state = "closed";
  client.get("lobby").tells("left", { code: "unauthorized" });
  assert.equal(room.status, "joining");
  client.state = "open";
  client.refuses("lobby", { code: "forbidden" });
  assert.deepEqual([room.status, room.problem], ["out", "This room is not open to you."]);
});

test("somebody who was kicked is told why and for how long", () => {
  const { client, room, lobby } = begin();
  lobby.tells("presence", { count: 1, members: [{ user: "ana" }] });
  client.refuses("lobby", { code: "kicked", message: "kicked for 59.2 s: spam", retryAfterMs: 59_200 });
  assert.deepEqual([room.status, room.count], ["out", 0]);
  assert.equal(room.problem, "You were taken out of this room: spam. You can come back in 60 seconds.");
});

test("presence follows the list; who came and went is told, but not at first", () => {
  const { room, lobby } = begin();
  lobby.tells("joined", { pos: "e.0.c", head: "e.0.c", count: 0 });
  lobby.tells("presence", { count: 2, members: [{ user: "ana" }, { user: "ben", name: "Ben" }] });
  assert.deepEqual(room.items, []);
  lobby.tells("presence", { count: 3, members: [{ user: "ana" }, { user: "ben" }, { user: "cleo", name: "Cleo" }] });
  lobby.tells("presence", { count: 2, members: [{ user: "ana" }, { user: "cleo" }] });
  assert.deepEqual(room.items.map(({ verb, names }) => [verb, ...names]), [["joined", "Cleo"], ["left", "Ben"]]);
  lobby.tells("presence", { count: 300, members: [] });
  assert.deepEqual([room.count, room.items.length], [300, 2]);
});

test("what came before this visit is read, what comes elsewhere is not", () => {
  const { store, membership, client } = begin();
  const other = store.ensure("other");
  membership.join(other);
  const room = client.get("other");
  room.tells("joined", { pos: "o.0.c", head: "o.1.c", count: 1 });
  room.tells("message", message(1, { pos: "o.1.c", ts: 999_999 }));
  assert.equal(other.unread, 0);
  room.tells("message", message(2, { pos: "o.2.c" }));
  room.tells("message", message(3, { pos: "o.3.c" }));
  room.tells("message", message(4, { pos: "o.4.c", from: { user: "ana" } }));
  assert.deepEqual([other.unread, other.freshFrom], [2, "o.2.c"]);
  store.activate("other");
  assert.deepEqual([other.unread, other.freshFrom, other.readUntil], [0, "o.2.c", 1_000_004]);
  store.activate("lobby");
  assert.equal(other.freshFrom, "");
});

test("another user than before has an inbox of their own", () => {
  const { store, client } = begin();
  client.inbox.tells("message", message(1, { room: "@ana", pos: "i.1.c" }));
  assert.equal(store.directs.length, 1);
  store.identify({ user: "zoe", inbox: "@zoe", ts: 1_000_000 });
  assert.deepEqual([store.directs.length, store.inbox.position], [0, ""]);
});
