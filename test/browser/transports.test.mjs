// One room, one tab a transport, connections cut at random: every tab reads the same sequence. The tabs have nothing
// but what a browser has: WebSocket, EventSource and fetch; and one the client of Socket.IO as it comes from npm, with
// nothing but its own recovery. CUTS=1000 is the long form.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newRoom, stage } from "./stage.mjs";

const CUTS = Number(process.env.CUTS ?? 90);
const PAUSE_MS = 25; // between two cuts, on average
// Between two messages. A room's history, 1,000 of them, has to last for as long as a client may be kept out: that of
// Socket.IO, whose upgrade is cut just after the probe, polls no more and is silent until its ping timeout.
const TALK_MS = 40;
const PATIENCE = 60_000;
const READERS = new URL("readers.page.js", import.meta.url).pathname;
const SOCKET_IO = new URL("node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url).pathname;

// A tab that is cut all the time asks more often than a person. With a ping a second that timeout is 21 seconds.
const set = stage(["--no-limits", "--ping-interval", "1s"]);

/** Publishes without a break until told to stop; the last message says "end". */
async function publisher(room) {
  let sent = 0;
  let over = false;
  const say = async (data) => {
    const response = await fetch(`${set.server.url}send`, { method: "POST", body: JSON.stringify({ type: "publish", room, data }) });
    assert.equal((await response.json()).type, "ok");
    sent++;
  };
  await say("start");
  const talking = (async () => {
    for (; !over; await sleep(TALK_MS)) await say(`message ${sent}`);
  })();
  return {
    async end() {
      over = true;
      await talking;
      await say("end");
      return sent;
    },
  };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A tab a transport, each of which has read something. */
async function openTabs(context, room) {
  const tabs = {};
  for (const transport of ["websocket", "socketio", "sse", "poll"]) {
    tabs[transport] = await context.newPage();
    await tabs[transport].goto(set.network.url + "healthz"); // a page of the same origin without anything on it
    if (transport === "socketio") await tabs[transport].addScriptTag({ path: SOCKET_IO });
    await tabs[transport].addScriptTag({ path: READERS });
    await tabs[transport].evaluate(([transport, room]) => void read(transport, room), [transport, room]);
    await tabs[transport].waitForFunction(() => window.heard.data.length > 0);
  }
  return tabs;
}

/** What each tab has heard when it has heard the end. */
async function heardBy(tabs) {
  const heard = {};
  for (const [transport, tab] of Object.entries(tabs)) {
    await tab.waitForFunction(() => window.heard.data.at(-1) === "end", undefined, { timeout: PATIENCE });
    heard[transport] = await tab.evaluate(() => ({ ...window.heard }));
  }
  return heard;
}

/** Where each began is its own; from there on nobody misses, doubles or mixes up anything. */
function holds(transport, { data, positions, problems, connections }, all, published) {
  const jumps = positions.map((at, i) => [Number(positions[i - 1]?.split(".")[1]), Number(at.split(".")[1])]).filter(([a, b]) => b > a + 1);
  assert.deepEqual(problems, [], `${transport} ${JSON.stringify(jumps)}`);
  assert.ok(connections > Math.max(1, CUTS / (transport === "socketio" ? 100 : 10)), `${transport} was connected ${connections} times only: it was hardly cut`);
  const wanted = all.slice(-positions.length);
  assert.deepEqual(positions.slice(-wanted.length), wanted, transport);
  assert.equal(new Set(positions).size, positions.length, `${transport} got something twice`);
  const numbers = data.filter((text) => text.startsWith("message")).map((text) => Number(text.split(" ")[1]));
  numbers.forEach((n, i) => i > 0 && assert.equal(n, numbers[i - 1] + 1, `${transport} after message ${numbers[i - 1]}`));
  assert.equal(numbers.at(-1), published - 2, `${transport}: the last message`);
}

test(`a tab a transport, ${CUTS} random cuts, one sequence`, { timeout: PATIENCE * 4 + CUTS * PAUSE_MS * 10 }, async () => {
  const room = newRoom();
  const talk = await publisher(room);
  const context = await set.browser.newContext();
  const tabs = await openTabs(context, room);
  for (let cut = 0; cut < CUTS; ) {
    await sleep(2 * PAUSE_MS * Math.random());
    if (set.network.cutOne()) cut++;
  }
  const published = await talk.end();
  const heard = await heardBy(tabs);
  await context.close();
  for (const [transport, it] of Object.entries(heard)) holds(transport, it, heard.websocket.positions, published);
});
