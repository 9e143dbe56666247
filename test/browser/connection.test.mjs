// How the chat page connects, comes back and sends: played against sockets and a clock that the test holds.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

const from = (name) => import(new URL(`../../web/chat/${name}`, import.meta.url));
const { Connection } = await from("connection.js");
const { Outbox } = await from("outbox.js");
const { Saved } = await from("saved.js");
const { Store } = await from("store.js");

// A socket that the test plays the server of.
class Socket {
  static all = [];
  sent = [];
  constructor(url) {
    this.url = url;
    Socket.all.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close(code) {
    this.closed = code ?? true;
  }
  says(envelope) {
    this.onmessage({ data: JSON.stringify(envelope) });
  }
  ends(code, reason = "") {
    this.onclose?.({ code, reason });
  }
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_000_000 });
  mock.method(Math, "random", () => 0.5);
  Socket.all = [];
  globalThis.WebSocket = Socket;
});

afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

const last = () => Socket.all.at(-1);
const WELCOME = { type: "welcome", user: "ana", inbox: "@ana", ping_interval: 25, ts: 1_000_000 };

function connect(more = {}) {
  const seen = { phases: [], pushes: [], refused: 0 };
  const connection = new Connection({
    address: () => "ws://x/ws",
    subprotocols: () => [],
    onState: ({ phase }) => seen.phases.push(phase),
    onWelcome: () => {},
    onPush: ({ type }) => seen.pushes.push(type),
    onRefused: () => seen.refused++,
    ...more,
  });
  connection.start();
  return { connection, seen };
}

test("attempts back off, and only a connection that was stable begins anew", () => {
  const { connection } = connect();
  const waits = [];
  const cut = (lived) => {
    last().says(WELCOME);
    mock.timers.tick(lived);
    last().ends(1006);
    waits.push(connection.state.retryAt - Date.now());
    mock.timers.tick(waits.at(-1));
  };
  for (const lived of [0, 0, 4999, 5000, 0]) cut(lived);
  assert.deepEqual(waits, [250, 500, 1000, 250, 500]);
  assert.equal(Socket.all.length, 6);
});

test("the server's own wait is kept, even when the page comes back to life", () => {
  const { connection } = connect();
  last().says(WELCOME);
  last().ends(4529, "connection_limit;retry=60");
  connection.wake();
  mock.timers.tick(59_999);
  assert.equal(Socket.all.length, 1);
  mock.timers.tick(1);
  assert.equal(Socket.all.length, 2);
  last().ends(1006);
  connection.wake();
  assert.equal(Socket.all.length, 3, "a wait of our own is cut short");
});

test("a refused token is forgotten once, then the page stops", () => {
  const { connection, seen } = connect();
  last().ends(4401, "unauthorized");
  assert.equal(seen.refused, 1);
  mock.timers.tick(20_000);
  last().ends(4401, "unauthorized");
  mock.timers.tick(60_000);
  assert.deepEqual([seen.refused, connection.state.phase, Socket.all.length], [1, "stopped", 2]);
});

test("a code that says stop is obeyed", () => {
  const { connection } = connect();
  last().says(WELCOME);
  last().ends(4403, "blocked");
  mock.timers.tick(60_000);
  assert.deepEqual([connection.state.phase, connection.state.code, Socket.all.length], ["stopped", 4403, 1]);
});

test("a server that wants a token is asked no further", () => {
  const { connection } = connect();
  last().says({ type: "auth_required", timeout: 10 });
  assert.deepEqual([connection.state.phase, connection.state.code], ["stopped", 4401]);
});

test("a silent connection is asked, and given up 10 seconds later", () => {
  const { connection } = connect();
  last().says(WELCOME);
  mock.timers.tick(24_999);
  assert.deepEqual(last().sent, []);
  mock.timers.tick(1);
  assert.equal(last().sent[0].type, "ping");
  last().says({ type: "pong" });
  mock.timers.tick(25_000);
  assert.equal(last().sent.length, 2);
  mock.timers.tick(9_999);
  assert.equal(connection.state.phase, "live");
  mock.timers.tick(1);
  assert.equal(connection.state.phase, "offline");
});

test("an attempt that leads nowhere is given up after 10 seconds", () => {
  const { connection } = connect();
  mock.timers.tick(10_000);
  assert.deepEqual([connection.state.phase, Socket.all[0].closed], ["offline", true]);
});

test("requests are answered, fail with the server's reason, or end unknown with the connection", async () => {
  const { connection } = connect();
  last().says(WELCOME);
  const [good, bad, open] = ["join", "publish", "publish"].map((type) => connection.request({ type }));
  last().says({ type: "ok", id: 1, of: "join", count: 3 });
  last().says({ type: "error", id: 2, of: "publish", code: "rate_limited", retryable: true, retry_after: 1.5 });
  assert.equal((await good).count, 3);
  await assert.rejects(bad, { code: "rate_limited", retryable: true, retryAfter: 1500 });
  last().ends(1006);
  await assert.rejects(open, { code: "disconnected", retryable: true });
  await assert.rejects(connection.request({ type: "join" }), { code: "disconnected" });
});

test("a request that is never answered ends, though the connection lives", async () => {
  const { connection } = connect();
  last().says(WELCOME);
  const open = assert.rejects(connection.request({ type: "publish" }), { code: "timeout", retryable: true });
  mock.timers.tick(10_000);
  last().says({ type: "pong" });
  mock.timers.tick(10_000);
  await open;
  assert.equal(connection.state.phase, "live");
});

test("a token that runs out is renewed by a new connection, not in circles", () => {
  const { connection } = connect();
  last().says(WELCOME);
  connection.renew();
  assert.deepEqual([Socket.all.length, Socket.all[0].closed], [2, 1000]);
  last().says(WELCOME);
  connection.renew();
  assert.equal(Socket.all.length, 2);
});

const settle = async () => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

function sending() {
  const saved = () => new Saved(new Map());
  const store = new Store({ lasting: saved(), tab: saved() });
  store.me = { user: "ana", name: "Ana" };
  const { connection } = connect();
  last().says(WELCOME);
  const room = store.ensure("lobby");
  room.ready = true;
  return { room, outbox: new Outbox(store, connection), publishes: () => Socket.all.flatMap(({ sent }) => sent).filter(({ type }) => type === "publish") };
}

test("messages go out one after the other, and a limited one waits and keeps its place", async () => {
  const { room, outbox, publishes } = sending();
  for (const text of ["a", "b"]) outbox.send(room, text);
  assert.equal(publishes().length, 1);
  last().says({ type: "error", id: 1, code: "rate_limited", retryable: true, retry_after: 2 });
  await settle();
  mock.timers.tick(1999);
  assert.equal(publishes().length, 1);
  mock.timers.tick(1);
  last().says({ type: "ok", id: 2, pos: "e.1.c", ts: 1 });
  await settle();
  assert.deepEqual(publishes().map(({ data }) => data.text), ["a", "a", "b"]);
  assert.equal(publishes()[0].key, publishes()[1].key);
  assert.notEqual(publishes()[0].key, publishes()[2].key);
});

test("a refused message fails alone, with the reason, and can be sent again", async () => {
  const { room, outbox, publishes } = sending();
  for (const text of ["a", "b"]) outbox.send(room, text);
  last().says({ type: "error", id: 1, code: "invalid_data", message: "no", retryable: false });
  await settle();
  assert.deepEqual(room.pending.map(({ state, error }) => [state, error && error.code]), [["failed", "invalid_data"], ["sending", ""]]);
  last().says({ type: "ok", id: 2, pos: "e.1.c", ts: 1 });
  await settle();
  outbox.retry(room, room.pending[0]);
  assert.deepEqual(publishes().map(({ data }) => data.text), ["a", "b", "a"]);
});

test("an unknown outcome older than the server's memory of keys is shown, not repeated", async () => {
  const { room, outbox, publishes } = sending();
  outbox.send(room, "a");
  last().ends(1006);
  await settle();
  mock.timers.tick(271_000);
  last().says(WELCOME);
  await outbox.pump(room);
  assert.deepEqual([publishes().length, room.pending[0].state, room.pending[0].error.code], [1, "failed", "unconfirmed"]);
});

test("typing is told every 2.5 seconds at most", () => {
  const { room, outbox, publishes } = sending();
  room.status = "joined";
  for (const at of [0, 1000, 2499]) outbox.typing(room, 1_000_000 + at);
  assert.equal(publishes().length, 1);
  for (const at of [2500, 3000]) outbox.typing(room, 1_000_000 + at);
  assert.equal(publishes().length, 2);
  assert.deepEqual(publishes()[0], { type: "publish", room: "lobby", event: "typing", data: {}, ephemeral: true, echo: false });
});
