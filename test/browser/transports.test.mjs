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
const SOCKET_IO = new URL("node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url).pathname;

// A tab that is cut all the time asks more often than a person. With a ping a second that timeout is 21 seconds.
const set = stage(["--no-limits", "--ping-interval", "1s"]);

/** Runs in a tab: reads a room until the message "end", whatever becomes of its connections. */
function read([transport, room]) {
  const heard = { positions: [], data: [], problems: [], connections: 0 };
  window.heard = heard;
  const take = (it) => {
    if (it.type === "message") heard.positions.push(it.pos), heard.data.push(it.data);
    if (it.type === "gap" || it.recovered === false || it.type === "error") heard.problems.push(JSON.stringify(it));
  };
  const ways = {
    websocket() {
      let at;
      const open = () => {
        const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
        heard.connections++;
        socket.onopen = () => socket.send(JSON.stringify({ type: "join", room, ...(at ? { since: at } : { last: 1 }) }));
        socket.onmessage = ({ data }) => {
          const it = JSON.parse(data);
          if (it.room === room && it.pos && (it.type === "message" || it.of === "join")) at = it.pos;
          take(it);
        };
        socket.onclose = () => setTimeout(open, 10);
      };
      open();
    },
    sse() {
      let id = "";
      const open = () => {
        const from = id ? `lastEventId=${encodeURIComponent(id)}` : "last=1";
        const events = new EventSource(`/sse?room=${room}&${from}`);
        heard.connections++;
        for (const type of ["ok", "message", "gap", "failure"]) {
          events.addEventListener(type, (event) => {
            id = event.lastEventId || id;
            take(JSON.parse(event.data));
          });
        }
        events.onerror = () => { // its own way back waits for seconds
          events.close();
          setTimeout(open, 10);
        };
      };
      open();
    },
    socketio() {
      const socket = window.io(location.origin, { reconnectionDelay: 10, reconnectionDelayMax: 10, randomizationFactor: 0 });
      let joined = false;
      heard.connections++;
      socket.io.on("reconnect_attempt", () => heard.connections++);
      socket.on("connect", () => {
        if (socket.recovered) return;
        if (joined) heard.problems.push("not recovered");
        socket.emit("join", { room, last: 1 }, () => (joined = true));
      });
      for (const type of ["message", "gap", "error"]) socket.on(type, take);
    },
    async poll() {
      for (let cursor = ""; ; ) {
        heard.connections++;
        try {
          const response = await fetch(`/poll?room=${room}&${cursor ? `cursor=${encodeURIComponent(cursor)}` : "last=1"}`, { cache: "no-store" });
          const answer = await response.json();
          cursor = answer.cursor ?? cursor;
          answer.messages.forEach(take);
        } catch {
          await new Promise((resolve) => setTimeout(resolve, 10)); // the cursor is the old one still
        }
      }
    },
  };
  ways[transport]();
}

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

test(`a tab a transport, ${CUTS} random cuts, one sequence`, { timeout: PATIENCE * 4 + CUTS * PAUSE_MS * 10 }, async () => {
  const room = newRoom();
  const talk = await publisher(room);
  const context = await set.browser.newContext();
  const tabs = {};
  for (const transport of ["websocket", "socketio", "sse", "poll"]) {
    tabs[transport] = await context.newPage();
    await tabs[transport].goto(set.network.url + "healthz"); // a page of the same origin without anything on it
    if (transport === "socketio") await tabs[transport].addScriptTag({ path: SOCKET_IO });
    await tabs[transport].evaluate(read, [transport, room]);
    await tabs[transport].waitForFunction(() => window.heard.data.length > 0);
  }

  for (let cut = 0; cut < CUTS; ) {
    await sleep(2 * PAUSE_MS * Math.random());
    if (set.network.cutOne()) cut++;
  }
  const published = await talk.end();

  const heard = {};
  for (const [transport, tab] of Object.entries(tabs)) {
    await tab.waitForFunction(() => window.heard.data.at(-1) === "end", undefined, { timeout: PATIENCE });
    heard[transport] = await tab.evaluate(() => window.heard);
  }
  await context.close();
  for (const [transport, { data, positions, problems, connections }] of Object.entries(heard)) {
    const jumps = positions.map((at, i) => [Number(positions[i - 1]?.split(".")[1]), Number(at.split(".")[1])]).filter(([a, b]) => b > a + 1);
    assert.deepEqual(problems, [], `${transport} ${JSON.stringify(jumps)}`);
    assert.ok(connections > Math.max(1, CUTS / (transport === "socketio" ? 100 : 10)), `${transport} was connected ${connections} times only: it was hardly cut`);
    // Where each began is its own; from there on nobody misses, doubles or mixes up anything.
    const wanted = heard.websocket.positions.slice(-positions.length);
    assert.deepEqual(positions.slice(-wanted.length), wanted, transport);
    assert.equal(new Set(positions).size, positions.length, `${transport} got something twice`);
    const numbers = data.filter((text) => text.startsWith("message")).map((text) => Number(text.split(" ")[1]));
    numbers.forEach((n, i) => i > 0 && assert.equal(n, numbers[i - 1] + 1, `${transport} after message ${numbers[i - 1]}`));
    assert.equal(numbers.at(-1), published - 2, `${transport}: the last message`);
  }
});
