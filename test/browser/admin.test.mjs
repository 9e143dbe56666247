// The page of administrators, on the listener of its own, and what the people in the rooms notice of it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { newRoom, stage } from "./stage.mjs";
import { freePort } from "./server.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const KEY = "a key of this test, and of nothing else";
const port = await freePort();
process.env.WIREROOM_ADMIN_KEY = KEY;
after(() => delete process.env.WIREROOM_ADMIN_KEY);

const set = stage(["--admin-listen", `127.0.0.1:${port}`]);
const address = `http://127.0.0.1:${port}/admin`;

/** Opens the page, with the key entered. */
async function open(t, where = "", { key = KEY, ...options } = {}) {
  const context = await set.browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  t.after(async () => {
    await context.close();
    assert.deepEqual(problems.filter((text) => !/net::ERR_|status of 4/.test(text)), []);
  });
  await page.goto(address + where);
  await page.fill("#key", key);
  await page.press("#key", "Enter");
  return page;
}

/** Waits until a text of the page matches. */
async function reads(page, selector, pattern) {
  await page.waitForFunction(([at, source]) => new RegExp(source).test(document.querySelector(at)?.textContent), [selector, pattern.source]);
}

test("without the key nothing is told, and it stays in the tab", async (t) => {
  const page = await open(t, "", { key: "a key that is none" });
  await reads(page, "#key-problem", /not one of this server's/);
  assert.equal(await page.isVisible("#app"), false);
  await page.fill("#key", KEY);
  await page.press("#key", "Enter");
  await reads(page, "#status-text", /^Live$/);
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  await page.reload();
  await reads(page, "#status-text", /^Live$/);
  await page.click("#lock");
  await page.waitForSelector("#gate", { state: "visible" });
  assert.equal(await page.evaluate(() => sessionStorage.getItem("wireroom.key")), null);
});

test("rooms are listed with their members, and lead into the room", async (t) => {
  const room = newRoom();
  await set.arrive("Ana", { room });
  const page = await open(t);
  await page.fill("#room-filter", room);
  await page.waitForFunction((name) => document.querySelectorAll("#room-rows tr").length === 1 && document.querySelector("#room-rows a").textContent === name, room);
  assert.equal(await page.textContent("#room-rows td"), "1");
  await page.click("#room-rows a");
  await reads(page, "#people", /Ana/);
  await page.goBack();
  await page.fill("#room-filter", "nobody-is-here");
  await reads(page, "#rooms-empty", /No room that is open begins with/);
});

test("a room is seen live and back in time, and published in", async (t) => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room });
  for (let n = 1; n <= 60; n++) await ana.say(`message ${n}`);
  await ana.allSent();
  const page = await open(t, "#room/" + room);
  await reads(page, "#messages li:last-child .content", /message 60/);
  assert.equal(await page.locator("#messages li").count(), 50);
  await page.click("#older");
  await reads(page, "#messages li:first-child .content", /message 1"/);
  await ana.say("said while one looks");
  await reads(page, "#messages li:last-child .content", /said while one looks/);
  await page.fill("#publish-text", '{"text":"from the administration"}');
  await page.press("#publish-text", "Enter");
  await ana.sees("from the administration");
  await page.fill("#publish-text", "no JSON {");
  await page.press("#publish-text", "Enter");
  await ana.sees("no JSON {");
});

test("a busy room is kept up with, and older messages that were asked for stay", async (t) => {
  const room = newRoom();
  const publish = (from, to) => Promise.all(Array.from({ length: to - from + 1 }, (_, n) => n + from).map((n) => fetch(address.replace("admin", "api/publish"), {
    method: "POST", headers: { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" }, body: JSON.stringify({ room, data: `message ${String(n).padStart(4, "0")}` }),
  })));
  for (let n = 0; n < 12; n++) await publish(n * 50 + 1, n * 50 + 50);
  const page = await open(t, "#room/" + room);
  await reads(page, "#messages li:last-child .pos", /^600$/);
  for (const first of [501, 451]) {
    await page.click("#older");
    await reads(page, "#messages li:first-child .pos", new RegExp(`^${first}$`));
  }
  await page.evaluate(() => { document.getElementById("log").scrollTop = 0; });
  await publish(601, 1000); // more than one look used to fetch, and more than is kept at the end
  await reads(page, "#messages li:last-child .pos", /^1000$/);
  assert.equal(await page.textContent("#messages li:first-child .pos"), "451");
});

test("why somebody did not get a message is answered, from a message or by hand", async (t) => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room });
  const user = await ana.user();
  await ana.say("hello");
  await ana.allSent();
  const page = await open(t, "#room/" + room);
  await page.click("#messages li:last-child a.pos");
  await page.waitForSelector("#why", { state: "visible" });
  assert.equal(await page.inputValue("#why-room"), room);
  await page.fill("#why-user", user);
  await page.press("#why-user", "Enter");
  await reads(page, "#answer-reason", /^Delivered$/);
  await page.fill("#why-user", "somebody-else");
  await page.press("#why-user", "Enter");
  await reads(page, "#answer-reason", /^Not in the room$/);
  await page.fill("#why-when", "whenever");
  await page.press("#why-when", "Enter");
  await reads(page, "#why-problem", /A time is 5m/);
  assert.equal(await page.isVisible("#answer"), false);
  await page.fill("#why-user", user);
  await page.fill("#why-when", "0s");
  await page.press("#why-when", "Enter");
  await reads(page, "#answer-reason", /^Delivered$/);
});

test("a user's connections are seen, and why they ended", async (t) => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room });
  const user = await ana.user();
  const page = await open(t, "#connections/" + user);
  await page.click("#connection-rows th a");
  await reads(page, "#life-here", new RegExp(room));
  await ana.leave();
  await reads(page, "#life-nobody", /no connection/);
  await reads(page, "#life-turns", /The connection ended/);
  await reads(page, "#life-turns", /was left with the connection/);
  await page.click("#life-why");
  assert.equal(await page.inputValue("#why-user"), user);
});

test("markup in names and messages is shown as text", async (t) => {
  const room = newRoom();
  const eve = await set.arrive("<img src=x onerror=alert(1)>", { room });
  await eve.say("<script>alert(1)</script>");
  await eve.allSent();
  const page = await open(t, "#room/" + room);
  await reads(page, "#people", /<img src=x/);
  await reads(page, "#messages", /<script>alert/);
  assert.equal(await page.locator("main img, main script").count(), 0);
});

test("a kick and a block are asked about first, and hold", async (t) => {
  const room = newRoom();
  const [ana, eve] = [await set.arrive("Ana", { room }), await set.arrive("Eve", { room })];
  const page = await open(t, "#room/" + room);
  await page.click('button[aria-label="Kick Eve"]');
  await reads(page, "#ask-title", /Kick Eve out of/);
  await page.click("#ask-no");
  assert.equal(await eve.page.isVisible("#out"), false);
  await page.click('button[aria-label="Kick Eve"]');
  await page.click("#ask-yes");
  await eve.page.waitForSelector("#out", { state: "visible" });
  assert.match(await eve.page.textContent("#out-problem"), /by an administrator/);
  await reads(page, "#said", /Eve was kicked/);
  await page.click('button[aria-label="Block Ana"]');
  await page.keyboard.press("Escape");
  await page.click('button[aria-label="Block Ana"]');
  await page.click("#ask-yes");
  await ana.phase("stopped");
  await ana.shows("#banner-text", "This server does not let you in.");
});

test("connections are listed with where they are, and for one user", async (t) => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room });
  const page = await open(t, "#connections/" + (await ana.user()));
  await page.waitForFunction(() => document.querySelectorAll("#connection-rows tr").length === 1);
  const row = await page.textContent("#connection-rows tr");
  for (const part of ["Ana", "local", room]) assert.ok(row.includes(part), `${part} in ${row}`);
  assert.match(row, /websocket|sse|poll/); // where a WebSocket takes too long, the client takes another way
  await page.fill("#user-filter", "nobody");
  await reads(page, "#connections-empty", /no connection to this node/);
});

test("the nodes are listed, this one first", async (t) => {
  await set.arrive("Ana", { room: newRoom() });
  const page = await open(t, "#nodes");
  await reads(page, "#node-rows", /this node.*yes/s);
  const name = await page.textContent("#node");
  assert.deepEqual(await page.locator("#node-rows th bdi").allTextContents(), [name]);
  assert.equal(await page.textContent("#node-rows td"), "1");
  await reads(page, "#nodes-more", /alone/);
});

test("where clients connect there is no such page", async () => {
  assert.equal((await fetch(set.server.url + "admin")).status, 404);
  const there = await fetch(address.replace(/admin$/, ""), { redirect: "manual" });
  assert.deepEqual([there.status, there.headers.get("location")], [302, "admin"]);
});

for (const colorScheme of ["light", "dark"]) {
  test(`an audit finds no barrier, ${colorScheme}, wide and narrow`, async (t) => {
    const room = newRoom();
    const ana = await set.arrive("Ana", { room });
    await ana.say("hello");
    for (const viewport of [{ width: 1400, height: 900 }, { width: 360, height: 800 }]) {
      for (const where of ["#rooms", "#room/" + room, "#connections", "#nodes", "#life/" + (await ana.user()), `#why/${await ana.user()}/${room}/0s`]) {
        const page = await open(t, where, { colorScheme, viewport });
        await reads(page, "#status-text", /^Live$/);
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
        assert.deepEqual(violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`)), [], where);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${where} is not wider than the window`);
      }
    }
  });
}
