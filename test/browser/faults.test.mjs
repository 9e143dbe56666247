// What happens when the network or the server fails under the chat page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newRoom, stage } from "./stage.mjs";

const set = stage();

test("after a cut everything missed comes in order, and what was typed meanwhile goes out once", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room, breakable: true }), await set.arrive("Ben", { room })];
  await ana.say("before");
  await ben.sees("before");

  set.network.cut();
  await ana.phase("offline", "connecting");
  await ana.page.waitForSelector("#banner", { state: "visible" });
  assert.match(await ana.page.textContent("#banner-text"), /connection was lost/);
  for (let n = 1; n <= 60; n++) await ben.say(`missed ${n}`);
  await ben.allSent();
  for (let n = 1; n <= 3; n++) await ana.say(`typed offline ${n}`);
  assert.deepEqual((await ana.lines()).slice(-3).map(({ state }) => state), ["waiting", "waiting", "waiting"]);

  set.network.heal();
  await ana.comesBack();
  await ana.allSent();
  const wanted = ["before", ...[...Array(60).keys()].map((n) => `missed ${n + 1}`), ...[1, 2, 3].map((n) => `typed offline ${n}`)];
  await ana.sees("missed 60");
  await ben.sees("typed offline 3");
  assert.deepEqual(await ana.texts(), wanted);
  assert.deepEqual(await ben.texts(), wanted);
  await ana.page.waitForSelector("#banner", { state: "hidden" });
  assert.equal(await ana.page.$(".gap"), null);
});

test("a message whose answer was lost is not stored twice", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room, breakable: true }), await set.arrive("Ben", { room })];
  await ana.say("first");
  await ana.allSent();
  set.network.muteServer();
  await ana.say("arrives, but the answer does not");
  await ben.sees("arrives, but the answer does not");
  assert.equal((await ana.lines()).at(-1).state, "sending");
  set.network.cut();
  await ana.phase("offline", "connecting");
  set.network.heal();
  await ana.comesBack();
  await ana.allSent();
  await ana.say("afterwards");
  await ben.sees("afterwards");
  const wanted = ["first", "arrives, but the answer does not", "afterwards"];
  assert.deepEqual(await ben.texts(), wanted);
  assert.deepEqual(await ana.texts(), wanted);
});

test("private messages survive a cut on either side", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room, breakable: true }), await set.arrive("Ben", { room })];
  await Promise.all([ana.hasPeople("Ana", "Ben"), ben.hasPeople("Ana", "Ben")]);
  await ana.writeTo(ben);
  await ben.writeTo(ana);
  set.network.muteServer();
  await ana.say("to Ben, answer lost");
  await ben.sees("to Ben, answer lost");
  set.network.cut();
  await ana.phase("offline", "connecting");
  await ben.say("to Ana, while away");
  await ben.allSent();
  set.network.heal();
  await ana.comesBack();
  await ana.sees("to Ana, while away");
  await ana.allSent();
  await ana.say("done");
  await ben.sees("done");
  assert.deepEqual(await ben.texts(), ["to Ben, answer lost", "to Ana, while away", "done"]);
  assert.deepEqual((await ana.texts()).sort(), ["done", "to Ana, while away", "to Ben, answer lost"]);
});

test("the same user comes back after a cut, and the others see nobody leave", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room, breakable: true }), await set.arrive("Ben", { room })];
  await ben.hasPeople("Ana", "Ben");
  const user = await ana.user();
  set.network.cut();
  await ana.phase("offline", "connecting");
  set.network.heal();
  await ana.comesBack();
  await ana.say("back");
  await ben.sees("back");
  assert.equal(await ana.user(), user);
  const notices = await ben.page.$$eval(".notice", (nodes) => nodes.map((node) => node.textContent));
  assert.deepEqual(notices.filter((text) => /left/.test(text)), []);
});

test("what is typed and not sent survives a reload", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room, breakable: true }), await set.arrive("Ben", { room })];
  set.network.muteServer();
  await ana.say("sent, not confirmed");
  await ben.sees("sent, not confirmed");
  await ana.say("not sent");
  set.network.heal();
  await ana.page.reload();
  await ana.live();
  await ben.sees("not sent");
  await ana.allSent();
  assert.deepEqual(await ben.texts(), ["sent, not confirmed", "not sent"]);
  assert.deepEqual(await ana.texts(), ["sent, not confirmed", "not sent"]);
});

test("when the server lost the room the page says so, and goes on", async () => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room });
  await ana.say("lost with the server's memory");
  await ana.allSent();
  await set.server.stop("SIGKILL");
  await ana.phase("offline", "connecting");
  await set.server.start();
  await ana.phase("live");
  await ana.page.waitForSelector(".gap");
  assert.match(await ana.page.textContent(".gap"), /Some messages could not be recovered/);
  await ana.say("goes on");
  await ana.allSent();
  assert.deepEqual(await ana.texts(), ["lost with the server's memory", "goes on"]);
});

test("a restart of the server is waited out", async () => {
  const ana = await set.arrive("Ana");
  const stopped = set.server.stop("SIGTERM");
  await ana.phase("offline", "connecting");
  await stopped;
  await set.server.start();
  await ana.live();
  await ana.say("here again");
  await ana.allSent();
});

test("offline one sees when the next try is, and can make it now", async () => {
  const ana = await set.arrive("Ana", { breakable: true });
  set.network.cut();
  await ana.page.waitForFunction(() => /^\d+ s$/.test(document.getElementById("countdown").textContent));
  set.network.heal();
  await ana.comesBack();
});
