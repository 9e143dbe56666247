// An unmodified npm `ws` client against a Wireroom server: node client.mjs URL
import assert from "node:assert/strict";
import WebSocket from "ws";

const url = process.argv[2];

/** A client that hands out what it receives, in order. */
class Client {
  #received = [];
  #waiting = [];

  constructor(query = "") {
    this.socket = new WebSocket(url + query, { perMessageDeflate: true });
    this.socket.on("message", (data, isBinary) => {
      const item = isBinary ? data : JSON.parse(data.toString());
      const waiting = this.#waiting.shift();
      if (waiting) waiting(item);
      else this.#received.push(item);
    });
    this.closed = new Promise((resolve) => this.socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() })));
    this.socket.on("error", (error) => assert.fail(error));
  }

  send(envelope) {
    this.socket.send(JSON.stringify(envelope));
  }

  async next(type) {
    const item = this.#received.shift() ?? (await new Promise((resolve) => this.#waiting.push(resolve)));
    if (type) assert.equal(item.type, type, JSON.stringify(item));
    return item;
  }
}

const alice = new Client("?name=Alice");
const bob = new Client();
const welcome = await alice.next("welcome");
assert.equal(welcome.protocol, 1);
await bob.next("welcome");

for (const client of [alice, bob]) {
  client.send({ type: "join", room: "outside", id: 1 });
  assert.equal((await client.next("ok")).room, "outside");
}

alice.send({ type: "publish", room: "outside", data: { text: "ünï ✓ \u0000" }, echo: false, id: 2 });
const ok = await alice.next("ok");
const message = await bob.next("message");
assert.deepEqual(message.data, { text: "ünï ✓ \u0000" });
assert.equal(message.from.user, welcome.user);
assert.equal(message.from.name, "Alice");
assert.equal(message.pos, ok.pos);

// A large message, which comes back compressed where the server compresses.
const large = "x".repeat(60_000);
bob.send({ type: "publish", room: "outside", data: large });
assert.equal((await alice.next("message")).data, large);
assert.equal((await bob.next("message")).data, large);

// A binary payload.
const envelope = Buffer.from(JSON.stringify({ type: "publish", room: "outside" }));
const length = Buffer.alloc(2);
length.writeUInt16BE(envelope.length);
bob.socket.send(Buffer.concat([length, envelope, Buffer.from([1, 2, 3])]));
for (const client of [alice, bob]) {
  const frame = await client.next();
  assert.deepEqual([...frame.subarray(frame.length - 3)], [1, 2, 3]);
  assert.equal(JSON.parse(frame.subarray(2, 2 + frame.readUInt16BE()).toString()).type, "message");
}

// Fragments, with a ping between them.
const text = JSON.stringify({ type: "ping", ts: 7 });
const pong = new Promise((resolve) => alice.socket.on("pong", resolve));
alice.socket.send(text.slice(0, 5), { fin: false });
alice.socket.ping("are you there");
alice.socket.send(text.slice(5), { fin: true });
assert.equal((await pong).toString(), "are you there");
assert.equal((await alice.next("pong")).ts, 7);

// Recovery after the connection is cut without a word.
const since = message.pos;
bob.socket.terminate();
alice.send({ type: "publish", room: "outside", data: "missed" });
await alice.next("message");
const again = new Client();
await again.next("welcome");
again.send({ type: "join", room: "outside", since, id: 1 });
const joined = await again.next("ok");
assert.equal(joined.recovered, true);
assert.equal(joined.count, 3);
assert.equal((await again.next("message")).data, large);
await again.next();
assert.equal((await again.next("message")).data, "missed");

// Errors do not end the connection; a goodbye is answered.
again.send({ type: "nothing", id: "x" });
const error = await again.next("error");
assert.deepEqual([error.id, error.code], ["x", "unknown_type"]);
again.socket.close(1000, "bye");
assert.equal((await again.closed).code, 1000);
alice.socket.close(1000);
await alice.closed;
console.log("npm ws: passed");
