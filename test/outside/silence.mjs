// The client of Socket.IO from npm, in two versions, over each transport, on a network that swallows all that the server
// says: it notices by the pings that do not come, and comes back. Prints "passed" when everything was as it should be.
import assert from "node:assert/strict";
import { io as newest } from "socket.io-client";
import { io as old } from "socket.io-client-4.5.4";
import { Network } from "../browser/network.mjs";
import { emit, once, until } from "./socketio_kit.mjs";

const url = process.argv[2];

async function play(io, transports, recovers) {
  const network = await Network.to(new URL(url).port);
  const room = `silent-${recovers}-${transports.join("-")}`;
  const ann = io(network.url, { transports, forceNew: true, reconnectionDelay: 10, randomizationFactor: 0 });
  const bob = io(url, { forceNew: true });
  await once(ann, "welcome");
  await until("the upgrade", () => ann.io.engine.transport.name === transports.at(-1));
  const [joined] = await emit(ann, "join", { room });
  const gone = once(ann, "disconnect");
  const back = once(ann, "connect");
  const missed = [];
  ann.on("message", (m) => missed.push(m.data));
  network.muteServer();
  assert.equal((await emit(bob, "publish", { room, data: "unheard" }))[0].ok, true);
  assert.equal((await gone)[0], "ping timeout");
  network.cut(); // what was swallowed is not to be believed any more
  network.heal();
  await back;
  assert.equal(Boolean(ann.recovered), recovers);
  if (!recovers) assert.equal((await emit(ann, "join", { room, since: joined.pos }))[0].recovered, true);
  await until("what was missed", () => missed.length > 0);
  assert.deepEqual(missed, ["unheard"]);
  ann.disconnect();
  bob.disconnect();
}

const plays = [];
for (const [io, recovers] of [[newest, true], [old, false]]) {
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    plays.push(play(io, transports, recovers).catch((error) => {
      error.message += ` (${transports}, ${recovers ? "newest" : "4.5.4"})`;
      throw error;
    }));
  }
}
await Promise.all(plays);
console.log("passed");
process.exit(0);
