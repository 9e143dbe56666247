// How the chat page uses the published client: which one, as whom, and what it gives it to publish. The client itself is
// tested where it is made.

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

const from = (name) => import(new URL(`../../web/chat/${name}`, import.meta.url));
const { Connection } = await from("connection.js");
const { Outbox } = await from("outbox.js");
const { Store } = await from("store.js");
const { Saved } = await import(new URL("../../web/parts/saved.js", import.meta.url));

// A client whose server the test plays.
class Client {
  static all = [];
  published = [];
  constructor(url, options) {
    Object.assign(this, { url, options, token: options.token() });
    Client.all.push(this);
  }
  on(event, listener) {
    this.listener = listener;
  }
  close() {
    this.closed = true;
    for (const { reject } of this.published) reject({ code: "closed", retryable: false, uncertain: true });
  }
  publish(room, data, options) {
    return new Promise((resolve, reject) => this.published.push({ room, data, options, resolve, reject }));
  }
  opens(more = {}) {
    this.welcome = { user: "ana", inbox: "@ana", ts: 1_000_000, ...more };
    this.listener({ state: "open", failures: 0 });
  }
  is(status) {
    this.listener({ failures: 1, ...status });
  }
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  Client.all = [];
});
afterEach(() => mock.timers.reset());

const last = () => Client.all.at(-1);

function connect(kept = "") {
  const seen = { phases: [], token: kept, forgotten: 0, clients: 0 };
  const connection = new Connection(
    {
      identity: () => ({ name: "Ana", inbox: { last: 200 } }),
      saved: () => seen.token,
      forget: () => {
        seen.forgotten++;
        seen.token = "";
      },
      onState: ({ phase }) => seen.phases.push(phase),
      onClient: () => seen.clients++,
      onWelcome: ({ token }) => token && (seen.token = token),
    },
    (url, options) => new Client(url, options),
  );
  connection.start();
  return { connection, seen };
}

test("the state of the client is told in the words of the page", () => {
  const { connection, seen } = connect();
  last().opens();
  last().is({ state: "connecting", retryMs: 2500, error: { closeCode: 4503 } });
  assert.deepEqual(connection.state, { phase: "offline", retryAt: 1_002_500, code: 4503, failures: 1 });
  last().is({ state: "connecting" });
  last().is({ state: "closed", error: { closeCode: 4403 } });
  assert.deepEqual(seen.phases, ["connecting", "live", "offline", "connecting", "stopped"]);
  assert.equal(connection.state.code, 4403);
});

test("somebody else is another client, and nobody listens to the one before", () => {
  const { connection, seen } = connect();
  const [before] = Client.all;
  before.opens();
  connection.start();
  assert.deepEqual([before.closed, Client.all.length, seen.clients], [true, 2, 2]);
  before.is({ state: "closed" });
  assert.equal(connection.state.phase, "connecting");
});

test("the kept token is offered; one that is refused is forgotten, and not offered again", () => {
  const { connection, seen } = connect("kept");
  assert.equal(last().token, "kept");
  assert.deepEqual([last().options.token(), seen.forgotten], [undefined, 1]);
  last().is({ state: "closed", error: { closeCode: 4401 } });
  assert.equal(connection.state.refused, true);
  connection.start();
  last().is({ state: "closed", error: { closeCode: 4401 } });
  assert.equal(connection.state.refused, false, "a server that asks for a token has refused none");
});

test("the token of an anonymous user is forgotten as well, once a server no longer knows it", () => {
  const { seen } = connect("first");
  last().opens({ token: "second" });
  last().is({ state: "connecting", retryMs: 1 });
  assert.deepEqual([last().options.token(), seen.token], [undefined, ""]);
});

test("a token that another tab has got meanwhile is offered", () => {
  const { seen } = connect("old");
  seen.token = "new";
  assert.deepEqual([last().options.token(), seen.forgotten], ["new", 0]);
});

test("a live client that asks for a new token is not one that was refused", () => {
  const { seen } = connect("kept");
  last().opens();
  assert.deepEqual([last().options.token(), seen.forgotten], ["kept", 0]);
});

test("an anonymous user has a new client, and so a new token, long before the old one ends", () => {
  connect();
  last().opens({ token: "of a day" });
  mock.timers.tick(12 * 3600_000);
  assert.deepEqual([Client.all.length, last().token], [2, "of a day"]);
});

const settle = async () => {
  for (let n = 0; n < 20; n++) await Promise.resolve();
};

function sending() {
  const saved = () => new Saved(new Map());
  const store = new Store({ lasting: saved(), tab: saved() });
  store.me = { user: "ana", name: "Ana" };
  const { connection } = connect();
  const room = store.ensure("lobby");
  return { room, connection, outbox: new Outbox(store, connection) };
}

const states = ({ pending }) => pending.map(({ state }) => state);

test("what is typed waits for a connection, and then goes to the client in order, each with its key", async () => {
  const { room, outbox } = sending();
  for (const text of ["a", "b"]) outbox.send(room, text);
  assert.deepEqual([last().published.length, states(room)], [0, ["waiting", "waiting"]]);
  last().opens();
  outbox.pumpAll();
  outbox.pumpAll();
  assert.deepEqual(last().published.map(({ room: to, data, options }) => [to, data.text, options.key]), room.pending.map(({ key }, n) => ["lobby", "ab"[n], key]));
  assert.deepEqual(states(room), ["sending", "sending"]);
  last().published[0].resolve({ pos: "e.1.c", ts: 1 });
  await settle();
  assert.deepEqual(states(room), ["sent", "sending"]);
});

test("a refused message fails alone, with the reason, and can be sent again", async () => {
  const { room, outbox } = sending();
  last().opens();
  for (const text of ["a", "b"]) outbox.send(room, text);
  last().published[0].reject({ code: "invalid_data", retryable: false, uncertain: false });
  await settle();
  assert.deepEqual(room.pending.map(({ state, error }) => [state, error && error.code]), [["failed", "invalid_data"], ["sending", ""]]);
  outbox.retry(room, room.pending[0]);
  assert.deepEqual(last().published.map(({ data }) => data.text), ["a", "b", "a"]);
});

test("what a client that is gone has not settled is given to the next, under the same key", async () => {
  const { room, outbox, connection } = sending();
  last().opens();
  outbox.send(room, "a");
  const [{ options }] = last().published;
  connection.start();
  await settle();
  last().opens();
  outbox.pumpAll();
  assert.equal(last().published[0].options.key, options.key);
});

test("an unknown outcome older than the server's memory of keys is shown, not repeated; what was not sent is", async () => {
  for (const uncertain of [true, false]) {
    const { room, outbox } = sending();
    last().opens();
    outbox.send(room, "a");
    last().is({ state: "connecting", retryMs: 1000 });
    mock.timers.tick(271_000);
    last().published[0].reject({ code: "gave_up", retryable: true, uncertain });
    await settle();
    last().opens();
    outbox.pumpAll();
    assert.deepEqual([last().published.length, room.pending[0].state], uncertain ? [1, "failed"] : [2, "sending"]);
    assert.equal(room.pending[0].error.code, uncertain ? "unconfirmed" : undefined);
  }
});

test("typing is told every 2.5 seconds at most, and never stored", () => {
  const { room, outbox } = sending();
  last().opens();
  room.status = "joined";
  for (const at of [0, 1000, 2499]) outbox.typing(room, 1_000_000 + at);
  assert.equal(last().published.length, 1);
  for (const at of [2500, 3000]) outbox.typing(room, 1_000_000 + at);
  assert.equal(last().published.length, 2);
  const { room: to, data, options } = last().published[0];
  assert.deepEqual([to, data, options], ["lobby", {}, { event: "typing", ephemeral: true, echo: false }]);
});
