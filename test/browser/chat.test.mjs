// What people do with the chat page, each of them in a browser profile of their own, against the real server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newRoom, stage } from "./stage.mjs";

const set = stage();

test("two people talk, and both see one order", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room }), await set.arrive("Ben", { room })];
  await ana.say("Hello Ben");
  await ben.sees("Hello Ben");
  await ben.say("Hello Ana");
  await ana.sees("Hello Ana");
  await Promise.all([...Array(10).keys()].map((n) => (n % 2 ? ana : ben)).map((person, n) => person.say(`line ${n}`)));
  await Promise.all([ana.allSent(), ben.allSent()]);
  const seen = await ana.texts();
  await ben.sees(seen.at(-1));
  assert.deepEqual(await ben.texts(), seen);
  assert.deepEqual((await ben.lines()).slice(0, 2), [{ from: "Ana", text: "Hello Ben", state: "sent" }, { from: "You", text: "Hello Ana", state: "sent" }]);
});

test("what one typed oneself is told apart, and says how far it got", async () => {
  const ana = await set.arrive("Ana");
  await ana.say("mine");
  await ana.allSent();
  assert.equal(await ana.page.$eval(".message", (node) => node.className), "message own head tail sent");
  assert.match(await ana.page.textContent(".message .message-foot"), /Sent/);
});

test("a name can be changed, and the others see it", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room }), await set.arrive("Ben", { room })];
  const user = await ana.user();
  await ana.page.click("#me");
  await ana.page.fill("#name", "Ana María");
  await ana.page.click("#name-save");
  await ben.hasPeople("Ben", "Ana María");
  await ana.live();
  await ana.say("new name");
  await ben.sees("new name");
  assert.equal((await ben.lines()).at(-1).from, "Ana María");
  assert.equal(await ana.user(), user, "the user stays the same");
});

test("a new name reaches the others from where WebSockets are blocked, and streams", async () => {
  for (const way of ["sse", "poll"]) {
    const room = newRoom();
    const ben = await set.arrive("Ben", { room });
    const ana = await set.arrive("", { room });
    if (way === "poll") await ana.page.route("**/sse?*", (route) => route.abort());
    await ana.page.evaluate(() => delete globalThis.WebSocket);
    await ana.page.fill("#name", "Ana");
    await ana.page.press("#name", "Enter");
    await ana.live();
    await ben.hasPeople("Ben", "Ana");
    const user = await ana.user();
    await ana.page.click("#me");
    await ana.page.fill("#name", "Ana María");
    await ana.page.click("#name-save");
    await ben.hasPeople("Ben", "Ana María");
    assert.equal(await ana.user(), user, `over ${way} the user stays the same`);
    assert.deepEqual(await ben.page.locator("#log .notice").filter({ hasText: "María" }).count(), 0, "somebody came, it says");
  }
});

test("the people column follows who comes and goes", async () => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room });
  await ana.hasPeople("Ana");
  const ben = await set.arrive("Ben", { room });
  await Promise.all([ana.hasPeople("Ana", "Ben"), ben.hasPeople("Ana", "Ben")]);
  await ana.shows("#subtitle", "2 people here");
  await ana.shows(".notice", "Ben joined");
  await ben.page.click("#leave");
  await ana.hasPeople("Ana");
  await ana.shows("#subtitle", "1 person here");
});

test("typing is shown to the others and fades", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room }), await set.arrive("Ben", { room })];
  await ana.page.type("#text", "H");
  await ben.shows("#typing-text", "Ana is typing");
  assert.equal(await ana.page.textContent("#typing-text"), "", "not to oneself");
  await ben.shows("#typing-text", "");
  await ana.page.type("#text", "i");
  await ben.shows("#typing-text", "Ana is typing");
  await ana.page.press("#text", "Enter");
  await ben.sees("Hi");
  await ben.shows("#typing-text", "");
});

test("a private message reaches one person, and both keep it over a reload", async () => {
  const room = newRoom();
  const [ana, ben, eve] = [await set.arrive("Ana", { room }), await set.arrive("Ben", { room }), await set.arrive("Eve", { room })];
  await ana.hasPeople("Ana", "Ben", "Eve");
  await ana.writeTo(ben);
  await ana.say("only for Ben");
  await ana.allSent();
  const inbox = "@" + (await ana.user());
  await ben.page.waitForSelector(`.row[data-id="${inbox}"].unread`);
  await ben.shows(`.row[data-id="${inbox}"] .badge`, "1");
  assert.match(await ben.page.title(), /^\(1\) /);
  await ben.open(inbox);
  assert.deepEqual(await ben.texts(), ["only for Ben"]);
  await ben.page.waitForSelector(`.row[data-id="${inbox}"]:not(.unread)`);
  await ben.say("and back");
  await ana.sees("and back");
  for (const person of [ana, ben]) {
    await person.page.reload();
    await person.live();
    await person.sees("and back");
    assert.deepEqual(await person.texts(), ["only for Ben", "and back"]);
  }
  assert.equal(await eve.page.$(".direct"), null);
  assert.equal(await eve.page.$eval("#direct-list", (list) => list.childElementCount), 0);
  assert.deepEqual(await eve.texts(), []);
});

test("typing is shown in a private conversation too", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room }), await set.arrive("Ben", { room })];
  await Promise.all([ana.hasPeople("Ana", "Ben"), ben.hasPeople("Ana", "Ben")]);
  await ana.writeTo(ben);
  await ben.writeTo(ana);
  await ana.page.type("#text", "H");
  await ben.shows("#typing-text", "Ana is typing");
});

test("a reload keeps name, user, rooms and the place one was in", async () => {
  const ana = await set.arrive("Ana");
  const user = await ana.user();
  const other = newRoom();
  await ana.join(other);
  await ana.say("still here");
  await ana.allSent();
  await ana.page.reload();
  await ana.live();
  assert.deepEqual(await ana.sees("still here"), ["still here"]);
  assert.equal(await ana.user(), user);
  assert.equal(await ana.page.textContent("#my-name"), "Ana");
  assert.equal(await ana.page.textContent("#title"), other);
  assert.equal((await ana.lines())[0].from, "You");
  assert.equal(await ana.page.$eval("#room-list", (list) => list.childElementCount), 3); // lobby, the first room, this one
});

test("what was read before a reload is not unread after it", async () => {
  const [first, second] = [newRoom(), newRoom()];
  const [ana, ben] = [await set.arrive("Ana", { room: first }), await set.arrive("Ben", { room: first })];
  await ben.say("read");
  await ana.sees("read");
  await ana.join(second);
  await ana.page.reload(); // at once
  await ana.live();
  await ben.join(second);
  await ben.open(first);
  await ben.say("not read");
  await ben.allSent();
  await ana.shows(`.row[data-id="${first}"] .badge`, "1");
  await ben.open(second);
  await ben.say("look there");
  await ana.sees("look there");
  assert.equal(await ana.page.textContent(`.row[data-id="${first}"] .badge`), "1");
});

test("a second tab of the same browser is the same user, with the same words", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room }), await set.arrive("Ben", { room })];
  await Promise.all([ana.hasPeople("Ana", "Ben"), ben.hasPeople("Ana", "Ben")]);
  const second = await ana.secondTab();
  await second.live();
  assert.equal(await second.user(), await ana.user());
  await ben.hasPeople("Ana", "Ben");
  await second.say("from the second tab");
  await ana.sees("from the second tab");
  assert.equal((await ana.lines())[0].from, "You");
  await second.writeTo(ben);
  await second.say("in private");
  await second.allSent();
  await ana.writeTo(ben);
  await ana.sees("in private");
  await second.open(room);
  await second.say("elsewhere");
  await ben.sees("elsewhere");
  await ben.say("seen");
  await ben.allSent();
  await ben.writeTo(ana);
  await ben.say("look there");
  await ana.sees("look there");
  assert.equal(await ana.page.textContent(`.row[data-id="${room}"] .badge`), "1", "what one says oneself is not unread");
  await ben.open(room);
  await second.page.close();
  await ana.say("the first tab is still here");
  await ben.hasPeople("Ana", "Ben");
});

test("rooms are joined by name, counted while away, and left", async () => {
  const [first, second] = [newRoom(), newRoom()];
  const [ana, ben] = [await set.arrive("Ana", { room: first }), await set.arrive("Ben", { room: second })];
  await ana.join(second);
  await ana.open(first);
  await ben.say("one");
  await ben.say("two");
  await ana.shows(`.row[data-id="${second}"] .badge`, "2");
  await ana.open(second);
  assert.deepEqual(await ana.texts(), ["one", "two"]);
  assert.equal(await ana.page.$$eval(".rule.fresh", (marks) => marks.length), 1, "where the unread part begins");
  await ana.page.waitForSelector(`.row[data-id="${second}"]:not(.unread)`);
  assert.equal(new URL(ana.page.url()).hash, "#" + second);
  await ana.page.click("#leave");
  await ana.page.waitForSelector(`.row[data-id="${second}"]`, { state: "detached" });
  await ben.hasPeople("Ben");
});

test("the address names the room", async () => {
  const [first, second] = [newRoom(), newRoom()];
  const ana = await set.arrive("Ana", { room: first });
  await ana.page.evaluate((room) => (location.hash = room), second);
  await ana.shows("#title", second);
  await ana.live();
  await ana.page.goBack();
  await ana.shows("#title", first);
});

test("a newcomer sees the last 50 messages, and the earlier ones on demand", async () => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room });
  for (let n = 1; n <= 70; n++) await ana.say(`message ${n}`);
  await ana.allSent();
  const ben = await set.arrive("Ben", { room });
  const wanted = (from) => [...Array(71 - from).keys()].map((n) => `message ${n + from}`);
  assert.deepEqual(await ben.sees("message 70"), wanted(21));
  await ben.page.$eval("#earlier", (button) => button.click()); // without scrolling there, which fetches as well
  await ben.sees("message 1");
  assert.deepEqual(await ben.texts(), wanted(1));
  await ben.page.waitForSelector("#earlier", { state: "hidden" });
  assert.equal(await ben.page.$eval(".badge", (badge) => badge.textContent), "", "what was said before one came is not unread");
});

test("whoever scrolls up gets the earlier messages, and keeps the place", async () => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room });
  for (let n = 1; n <= 110; n++) await ana.say(`message ${n}`);
  await ana.allSent();
  const ben = await set.arrive("Ben", { room });
  await ben.sees("message 110");
  const top = (text) => ben.page.evaluate((wanted) => [...document.querySelectorAll(".message")].find((node) => node.querySelector(".text").textContent === wanted).getBoundingClientRect().top, text);
  await ben.page.$eval("#scroller", (scroller) => (scroller.scrollTop = 200));
  const before = await top("message 70");
  await ben.sees("message 11");
  assert.equal(await top("message 70"), before, "what one reads stays where it is");
  await ben.page.$eval("#scroller", (scroller) => (scroller.scrollTop = 0));
  await ben.sees("message 1");
  assert.equal((await ben.texts()).length, 110);
});

test("somebody who reads further up is told of what comes, and not moved", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room }), await set.arrive("Ben", { room })];
  for (let n = 1; n <= 40; n++) await ana.say(`message ${n}`);
  await ben.sees("message 40");
  await ben.page.$eval("#scroller", (scroller) => (scroller.scrollTop = 0));
  await ana.say("down here");
  await ben.shows("#jump-text", "1 new message");
  assert.equal(await ben.page.$eval("#scroller", (scroller) => scroller.scrollTop), 0);
  await ben.page.click("#jump");
  await ben.page.waitForSelector("#jump", { state: "hidden" });
});

test("a message has at most 500 characters, and one is told before", async () => {
  const ana = await set.arrive("Ana");
  await ana.page.fill("#text", "é".repeat(450));
  await ana.shows("#left", "50 left");
  await ana.page.fill("#text", "👋".repeat(501));
  await ana.shows("#left", "1 too many");
  assert.equal(await ana.page.isDisabled("#send"), true);
  await ana.page.press("#text", "Enter");
  assert.deepEqual(await ana.texts(), []);
  await ana.page.fill("#text", "👋".repeat(500));
  await ana.page.press("#text", "Enter");
  await ana.allSent();
  assert.deepEqual(await ana.texts(), ["👋".repeat(500)]);
});

test("shift and enter breaks the line, and the lines arrive", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room }), await set.arrive("Ben", { room })];
  await ana.page.type("#text", "one");
  await ana.page.press("#text", "Shift+Enter");
  await ana.page.type("#text", "two");
  await ana.page.press("#text", "Enter");
  await ben.sees("one\ntwo");
});

test("a name that is no room's is refused with the reason", async () => {
  const ana = await set.arrive("Ana");
  await ana.page.fill("#join-room", "no@room");
  await ana.page.press("#join-room", "Enter");
  assert.match(await ana.page.textContent("#join-problem"), /inbox/);
  await ana.page.fill("#join-room", "#spaces become hyphens");
  await ana.page.press("#join-room", "Enter");
  await ana.shows("#title", "spaces-become-hyphens");
});
