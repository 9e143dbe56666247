// The client of Socket.IO from npm, as it is, in two versions, over each transport: the newest, and 4.5.4, which knows
// no recovery. Prints "passed" when everything was as it should be.
import assert from "node:assert/strict";
import { io as newest } from "socket.io-client";
import { io as old } from "socket.io-client-4.5.4";

const url = process.argv[2];

const once = (socket, event) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} in time`)), 20_000);
    socket.once(event, (...args) => {
      clearTimeout(timer);
      resolve(args);
    });
  });
const emit = (socket, ...args) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${args[0]} was not acknowledged`)), 20_000);
    socket.emit(...args, (...answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
const until = async (what, holds) => {
  for (const end = Date.now() + 20_000; !holds(); ) {
    assert(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

let plays = 0;

async function play(io, transports, recovers) {
  const options = { transports, forceNew: true, reconnectionDelay: 10, randomizationFactor: 0 };
  const over = transports.at(-1);
  const room = `lobby-${++plays}`;
  const a = io(url, { ...options, auth: { name: "Ann" } });
  const b = io(`${url}/custom`, { ...options, auth: { name: "Bob" } });
  const welcomes = await Promise.all([once(a, "welcome"), once(b, "welcome")]);
  assert.equal(welcomes[0][0].client, a.id);
  assert.equal(welcomes[0][0].inbox, `@${welcomes[0][0].user}`);
  await until("the upgrade", () => a.io.engine.transport.name === over && b.io.engine.transport.name === over);

  // Events with several arguments, binary values in them, acknowledgements both ways.
  const bytes = Buffer.from([0, 1, 254, 255]);
  a.emit("echo", 1, { deep: [bytes] }, "three");
  const [one, deep, three] = await once(a, "echoed");
  assert.equal(one, 1);
  assert.equal(three, "three");
  assert(bytes.equals(deep.deep[0]));
  const acknowledged = await emit(a, "acknowledge", "x", bytes);
  assert.equal(acknowledged[0], "x");
  assert(bytes.equals(acknowledged[1]));
  a.on("question", (n, answer) => answer(n + 1, bytes));
  assert.deepEqual(await emit(a, "ask me", 41), [42, 4]);

  // Rooms: the namespace's are its own.
  const joined = await emit(a, "join", { room: `custom/${room}` });
  assert.equal(joined[0].ok, true);
  let position = joined[0].pos; // of whoever knows no recovery
  a.on("message", (m) => (position = m.pos));
  assert.equal((await emit(b, "join", { room }))[0].ok, true);
  const heard = Promise.all([once(a, "message"), once(b, "message")]);
  const published = await emit(b, "publish", { room, data: { text: "hi" }, event: "said" });
  const [[atA], [atB]] = await heard;
  assert.equal(atA.room, `custom/${room}`);
  assert.equal(atB.room, room);
  assert.equal(atA.from.name, "Bob");
  assert.equal(atB.pos, published[0].pos);
  assert.deepEqual(atA.data, { text: "hi" });
  const both = once(b, "message");
  await emit(a, "publish", { room: `custom/${room}`, bytes });
  assert(bytes.equals((await both)[0].bytes));
  const history = await emit(b, "history", { room, limit: 1 });
  assert.equal(history[0].messages.length, 1);
  assert.equal((await emit(b, "presence", { room }))[0].count, 2);
  assert.equal((await emit(b, "leave", { room: "nowhere" }))[0].code, "not_joined");
  assert.equal((await emit(b, "leave", { room }))[0].ok, true);

  // A cut, and what was missed meanwhile.
  for (let turn = 1; turn <= 3; turn++) {
    const missed = [];
    const note = (m) => missed.push(m.data);
    const back = once(a, "connect");
    a.on("message", note);
    a.io.engine.close();
    await emit(b, "publish", { room, data: turn });
    await back;
    if (recovers) {
      assert.equal(a.recovered, true, `turn ${turn}`);
    } else {
      assert(!a.recovered);
      const [again] = await emit(a, "join", { room: `custom/${room}`, since: position });
      assert.equal(again.recovered, true, `turn ${turn}: ${JSON.stringify(again)}`);
    }
    await until("what was missed", () => missed.length > 0);
    assert.deepEqual(missed, [turn]);
    a.off("message", note);
  }

  // How it ends: refused, sent out of a namespace, sent away.
  const refused = io(`${url}/custom`, { ...options, auth: { refuse: true } });
  const [why] = await once(refused, "connect_error");
  assert.equal(why.message, "not you");
  assert.equal(why.data.code, "forbidden");
  refused.disconnect();
  const unknown = io(`${url}/unknown`, options);
  assert.equal((await once(unknown, "connect_error"))[0].message, "Invalid namespace");
  unknown.disconnect();
  let gone = once(b, "disconnect");
  const said = once(b, "error");
  b.emit("close me", 4403);
  assert.equal((await said)[0].code, "forbidden");
  assert.equal((await gone)[0], "io server disconnect");
  gone = once(a, "disconnect");
  const again = once(a, "connect");
  a.emit("close me", 4508);
  assert.equal((await gone)[0], "transport close");
  await again;
  gone = once(a, "disconnect");
  a.disconnect();
  assert.equal((await gone)[0], "io client disconnect");
  b.disconnect();
}

for (const [io, recovers] of [[newest, true], [old, false]]) {
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    await play(io, transports, recovers).catch((error) => {
      error.message += ` (${transports}, ${recovers ? "newest" : "4.5.4"})`;
      throw error;
    });
  }
}
console.log("passed");
process.exit(0);
