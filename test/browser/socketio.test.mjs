// The client of Socket.IO as browsers load it, the bundle from npm, over each of its transports.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newRoom, stage } from "./stage.mjs";

const BUNDLE = new URL("node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url).pathname;

const set = stage(["--socket-io-namespaces", "game"]);

/** A page of the server's origin with nothing on it but the bundle, and a few words for tests. */
async function open(t, transports) {
  const context = await set.browser.newContext();
  context.setDefaultTimeout(30_000);
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(set.network.url + "healthz");
  await page.addScriptTag({ path: BUNDLE });
  await page.evaluate((transports) => {
    window.connect = (namespace, options) => {
      const socket = window.io(location.origin + namespace, {
        transports, forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 20, randomizationFactor: 0, ...options,
      });
      socket.heard = [];
      socket.onAny((name, ...args) => socket.heard.push([name, ...args]));
      for (const name of ["connect", "disconnect", "connect_error"]) socket.on(name, (...args) => socket.heard.push([name, ...args]));
      return socket;
    };
    /** The arguments of the next event of that name that was not taken before. */
    window.next = async (socket, name) => {
      for (;;) {
        const at = socket.heard.findIndex(([heard]) => heard === name);
        if (at >= 0) return socket.heard.splice(at, 1)[0].slice(1);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    window.ask = (socket, ...args) => socket.timeout(20_000).emitWithAck(...args);
  }, transports);
  return page;
}

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  const over = transports.join(" and ");

  test(`events, acknowledgements, binary values, rooms and namespaces over ${over}`, { timeout: 120_000 }, async (t) => {
    const page = await open(t, transports);
    const found = await page.evaluate(async (room) => {
      const a = connect("", { auth: { name: "Ann" } });
      const b = connect("/game", { auth: { name: "Bob" } });
      const [welcome] = await next(a, "welcome");
      await next(b, "welcome");
      await ask(a, "join", { room: `game/${room}` });
      const joined = await ask(b, "join", { room });
      const published = await ask(b, "publish", { room, data: { text: "hi" }, event: "said" });
      const [atA] = await next(a, "message");
      const [atB] = await next(b, "message");
      await ask(a, "publish", { room: `game/${room}`, bytes: new Uint8Array([0, 1, 254, 255]) });
      const [binary] = await next(b, "message");
      a.emit("ping", { ts: 7 });
      const [pong] = await next(a, "pong");
      const refused = await ask(a, "leave", { room: "nowhere" });
      const history = await ask(b, "history", { room });
      const unknown = connect("/unknown");
      const [why] = await next(unknown, "connect_error");
      const stranger = connect("", { auth: { token: "nonsense" } });
      const [denied] = await next(stranger, "connect_error");
      for (const end = Date.now() + 20_000; a.io.engine.transport.name !== transportsOf(a).at(-1) && Date.now() < end; ) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      const carrier = a.io.engine.transport.name;
      a.disconnect();
      const [left] = await next(a, "disconnect");
      return {
        self: welcome.client !== undefined, joined, published, atA, atB, bytes: [...new Uint8Array(binary.bytes)], pong: pong.ts, refused,
        messages: history.messages.length, why: why.message, denied: denied.data?.code, carrier, left,
      };
      function transportsOf(socket) {
        return socket.io.opts.transports;
      }
    }, newRoom());
    assert.equal(found.self, true);
    assert.equal(found.joined.ok, true);
    assert.equal(found.atA.room, `game/${found.atB.room}`);
    assert.equal(found.atB.pos, found.published.pos);
    assert.deepEqual([found.atA.data, found.atA.event, found.atA.from.name], [{ text: "hi" }, "said", "Bob"]);
    assert.deepEqual(found.bytes, [0, 1, 254, 255]);
    assert.equal(found.pong, 7);
    assert.equal(found.refused.code, "not_joined");
    assert.equal(found.messages, 2);
    assert.equal(found.why, "Invalid namespace");
    assert.match(found.denied, /^unauthorized$/);
    assert.equal(found.carrier, transports.at(-1));
    assert.equal(found.left, "io client disconnect");
  });

  test(`what was missed comes back after each cut over ${over}`, { timeout: 120_000 }, async (t) => {
    const page = await open(t, transports);
    const room = newRoom();
    await page.evaluate(async (room) => {
      window.socket = connect("");
      await next(socket, "connect");
      await ask(socket, "join", { room });
    }, room);
    for (let turn = 0; turn < 4; turn++) { // the first before it has heard anything
      set.network.cut();
      await page.evaluate(() => next(window.socket, "disconnect"));
      await publish(room, turn);
      set.network.heal();
      const [recovered, data] = await page.evaluate(async () => {
        await next(socket, "connect");
        const { recovered } = socket;
        const [message] = await next(socket, "message");
        return [recovered, message.data];
      });
      assert.deepEqual([recovered, data], [true, turn]);
    }
  });

  test(`who is sent away stays away, and who is asked to come back does over ${over}`, { timeout: 120_000 }, async (t) => {
    const page = await open(t, transports);
    const room = newRoom();
    const sent = await page.evaluate(async () => {
      window.away = connect("");
      await next(away, "welcome");
      for (let i = 0; i < 5; i++) away.emit("auth", { token: "nonsense" }); // too many attempts: 4401
      const [reason] = await next(away, "disconnect");
      window.back = connect("");
      await next(back, "welcome");
      return { reason, active: away.active };
    });
    assert.deepEqual(sent, { reason: "io server disconnect", active: false });
    await page.evaluate((room) => ask(back, "join", { room }), room);
    await set.server.stop(); // drains: 4503
    const gone = await page.evaluate(async () => ({ draining: (await next(back, "draining")).length > 0, reason: (await next(back, "disconnect"))[0] }));
    assert.deepEqual(gone, { draining: true, reason: "transport close" });
    await set.server.start();
    const again = await page.evaluate(async () => {
      back.heard = back.heard.filter(([name]) => name !== "connect");
      if (!back.connected) await next(back, "connect");
      return { recovered: back.recovered, active: back.active };
    });
    assert.deepEqual(again, { recovered: false, active: true }); // the memory of the old server is gone
  });
}

async function publish(room, data) {
  const response = await fetch(`${set.server.url}send`, { method: "POST", body: JSON.stringify({ type: "publish", room, data }) });
  assert.equal((await response.json()).type, "ok");
}
