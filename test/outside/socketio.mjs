// The client of Socket.IO from npm, as it is, in two versions, over each transport: the newest, and 4.5.4, which knows
// no recovery. Prints "passed" when everything was as it should be.
import assert from "node:assert/strict";
import { io as newest } from "socket.io-client";
import { io as old } from "socket.io-client-4.5.4";
import { Network } from "../browser/network.mjs";
import { emit, once, until } from "./socketio_kit.mjs";

const url = process.argv[2];
const bytes = Buffer.from([0, 1, 254, 255]);
let plays = 0;

/** Ann in the main namespace, by a network that can be cut; Bob in another one. */
async function meet(io, transports, recovers) {
  const options = { transports, forceNew: true, reconnectionDelay: 10, randomizationFactor: 0 };
  const network = await Network.to(new URL(url).port);
  const ann = io(network.url, { ...options, auth: { name: "Ann" } });
  const bob = io(`${url}/custom`, { ...options, auth: { name: "Bob" } });
  const welcomes = await Promise.all([once(ann, "welcome"), once(bob, "welcome")]);
  assert.equal(welcomes[0][0].client, ann.id);
  assert.equal(welcomes[0][0].inbox, `@${welcomes[0][0].user}`);
  const play = { io, options, recovers, over: transports.at(-1), network, ann, bob, room: `lobby-${++plays}` };
  await upgraded(play, ann);
  await upgraded(play, bob);
  return play;
}

const upgraded = ({ over }, socket) => until("the upgrade", () => socket.io.engine.transport.name === over);

/** Events with several arguments, binary values in them, acknowledgements both ways. */
async function talk({ ann }) {
  ann.emit("echo", 1, { deep: [bytes] }, "three");
  const [one, deep, three] = await once(ann, "echoed");
  assert.equal(one, 1);
  assert.equal(three, "three");
  assert(bytes.equals(deep.deep[0]));
  const acknowledged = await emit(ann, "acknowledge", "x", bytes);
  assert.equal(acknowledged[0], "x");
  assert(bytes.equals(acknowledged[1]));
  ann.on("question", (n, answer) => answer(n + 1, bytes));
  assert.deepEqual(await emit(ann, "ask me", 41), [42, 4]);
}

/** The rooms of a namespace are its own. */
async function share(play) {
  const { ann, bob, room } = play;
  const joined = await emit(ann, "join", { room: `custom/${room}` });
  assert.equal(joined[0].ok, true);
  play.position = joined[0].pos; // of whoever knows no recovery
  ann.on("message", (m) => (play.position = m.pos));
  assert.equal((await emit(bob, "join", { room }))[0].ok, true);
  const heard = Promise.all([once(ann, "message"), once(bob, "message")]);
  const published = await emit(bob, "publish", { room, data: { text: "hi" }, event: "said" });
  const [[atAnn], [atBob]] = await heard;
  assert.deepEqual([atAnn.room, atBob.room], [`custom/${room}`, room]);
  assert.equal(atAnn.from.name, "Bob");
  assert.equal(atBob.pos, published[0].pos);
  assert.deepEqual(atAnn.data, { text: "hi" });
  const binary = once(bob, "message");
  await emit(ann, "publish", { room: `custom/${room}`, bytes });
  const [message] = await binary;
  assert(bytes.equals(message.bytes));
  assert.equal(message.from.name, "Ann");
  const history = await emit(bob, "history", { room, limit: 1 });
  assert.equal(history[0].messages.length, 1);
  assert.equal((await emit(bob, "presence", { room }))[0].count, 2);
  assert.equal((await emit(bob, "leave", { room: "nowhere" }))[0].code, "not_joined");
  assert.equal((await emit(bob, "leave", { room }))[0].ok, true);
}

/** Ann's connection ends in some way, and what she missed meanwhile comes by her recovery, or by her position. */
async function comeBack(play, data, part, heal) {
  const { ann, bob, room, recovers } = play;
  const missed = [];
  const note = (m) => missed.push(m.data);
  const gone = once(ann, "disconnect");
  const back = once(ann, "connect");
  const before = ann.id;
  ann.on("message", note);
  part();
  const why = await gone;
  await emit(bob, "publish", { room, data });
  heal();
  await back;
  assert.notEqual(ann.id, before);
  if (recovers) {
    assert.equal(ann.recovered, true, data);
  } else {
    assert(!ann.recovered);
    const [again] = await emit(ann, "join", { room: `custom/${room}`, since: play.position });
    assert.equal(again.recovered, true, `${data}: ${JSON.stringify(again)}`);
  }
  await until("what was missed", () => missed.length > 0);
  assert.deepEqual(missed, [data]);
  ann.off("message", note);
  await upgraded(play, ann);
  return why;
}

/** The connection is ended by the client, by somebody on the way, or breaks without a word. */
async function break_(play) {
  const { ann, network, over } = play;
  const lost = over === "websocket" ? "transport close" : "transport error"; // as the client says it
  for (let turn = 1; turn <= 3; turn++) {
    assert.equal((await comeBack(play, `closed ${turn}`, () => ann.io.engine.close(), () => {}))[0], "forced close");
    assert.equal((await comeBack(play, `cut ${turn}`, () => network.cut(), () => network.heal()))[0], lost);
    assert.equal((await comeBack(play, `hung up ${turn}`, () => network.hangUp(), () => network.heal()))[0], lost);
  }
}

/** Who is not let in. */
async function refuse({ io, options }) {
  const refused = io(`${url}/custom`, { ...options, auth: { refuse: true } });
  const [why] = await once(refused, "connect_error");
  assert.equal(why.message, "not you");
  assert.equal(why.data.code, "forbidden");
  refused.disconnect();
  const unknown = io(`${url}/unknown`, options);
  assert.equal((await once(unknown, "connect_error"))[0].message, "Invalid namespace");
  unknown.disconnect();
}

/** Sent out of a namespace, sent away, misunderstood; and the client's own end. */
async function end(play) {
  const { ann, bob, network } = play;
  let gone = once(bob, "disconnect");
  const said = once(bob, "error");
  bob.emit("close me", 4403);
  assert.equal((await said)[0].code, "forbidden");
  assert.equal((await gone)[0], "io server disconnect");
  assert.equal(bob.active, false); // it stays away
  for (const [code, reason, act] of [
    [4508, "as you wish", () => ann.emit("close me", 4508)],
    [4503, "as you wish", () => ann.emit("close me", 4503)],
    [4400, "not a packet of Socket.IO", () => ann.io.engine.write("nonsense")],
  ]) {
    gone = once(ann, "disconnect");
    const again = once(ann, "connect");
    act();
    const [why, details] = await gone;
    // Of two requests that are under way the one that is refused may be heard of first.
    assert(why === "transport close" || (why === "transport error" && code === 4400 && play.over === "polling"), why);
    if (play.over === "websocket") assert.deepEqual([details.context.code, String(details.context.reason)], [code, reason]);
    await again;
    await upgraded(play, ann);
  }
  gone = once(ann, "disconnect");
  ann.disconnect();
  assert.equal((await gone)[0], "io client disconnect");
  bob.disconnect();
  await network.close();
}

for (const [io, recovers] of [[newest, true], [old, false]]) {
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    try {
      const play = await meet(io, transports, recovers);
      for (const act of [talk, share, break_, refuse, end]) await act(play);
    } catch (error) {
      error.message += ` (${transports}, ${recovers ? "newest" : "4.5.4"})`;
      throw error;
    }
  }
}
console.log("passed");
process.exit(0);
