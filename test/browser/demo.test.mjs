// The page that shows one room over four transports: they read the same, and what was missed comes back.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import axe from "axe-core";
import { freePort } from "./server.mjs";
import { newRoom, stage } from "./stage.mjs";

const TRANSPORTS = ["native", "socketio", "sse", "poll"];
const KEY = "a key of administrators";

const folder = mkdtempSync(join(tmpdir(), "wireroom-demo-"));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "key"), KEY);
writeFileSync(join(folder, "config.yaml"), "rules:\n  - pattern: closed/*\n    allow: {join: nobody}\n");
const adminPort = await freePort();

const set = stage([
  "--config", join(folder, "config.yaml"), "--access", "anyone",
  "--admin-listen", `127.0.0.1:${adminPort}`, "--admin-key-file", join(folder, "key"),
]);

/** Asks the HTTP API. */
async function api(path, body) {
  const headers = { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" };
  const answer = await fetch(`http://127.0.0.1:${adminPort}/api/${path}`, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.status === 204 ? {} : answer.json();
}

/** Opens the page on a room, and waits until all four are there. */
async function open(t, { room = newRoom(), url = set.server.url, there = allLive, ...options } = {}) {
  const context = await set.browser.newContext({ viewport: { width: 1400, height: 900 }, locale: "en-GB", ...options });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  t.after(async () => {
    await context.close();
    assert.deepEqual(problems.filter((text) => !/WebSocket connection to|net::ERR_/.test(text)), []);
  });
  await page.goto(new URL(`demo/transports#${room}`, url).href);
  await there(page);
  return page;
}

const all = (phase) => (page) => page.waitForFunction((is) => document.querySelectorAll(`.panel[data-phase="${is}"]`).length === 4, phase);
const allLive = all("live");
const allRefused = all("refused");
const verdict = (page, wanted) => page.waitForFunction((is) => document.getElementById("verdict").dataset.verdict === is, wanted);
/** Waits until the verdict is what was wanted: it follows what the panels say after a moment. */
const says = (page, wanted) => page.waitForFunction((text) => document.getElementById("verdict").textContent === text, wanted);
const panel = (page, transport) => page.locator(`[data-transport="${transport}"]`);
const texts = (page, transport) => panel(page, transport).locator(".log-text").allTextContents();
const rows = (page, transport) => panel(page, transport).locator("[data-offset]").evaluateAll((all) => all.map((it) => `${it.dataset.offset} ${it.textContent}`));

/** Waits until the page says that all four have read the same. */
async function agree(page, count) {
  await page.waitForFunction(
    ([n]) => document.getElementById("verdict").dataset.verdict === "equal" && [...document.querySelectorAll(".panel-count")].every((it) => it.textContent === String(n)),
    [count],
  );
  const read = await Promise.all(TRANSPORTS.map((transport) => rows(page, transport)));
  for (const other of read) assert.deepEqual(other, read[0]);
}

async function say(page, transport, text) {
  await panel(page, transport).locator("input").fill(text);
  await panel(page, transport).locator("input").press("Enter");
}

test("what is said over each transport is read over all, in one order", async (t) => {
  const page = await open(t);
  for (const [i, transport] of TRANSPORTS.entries()) {
    await say(page, transport, `over ${transport}`);
    await agree(page, i + 1);
  }
  assert.deepEqual(await texts(page, "poll"), TRANSPORTS.map((transport) => `over ${transport}`));
});

test("who was cut off gets what it missed, marked, and nobody misses or doubles anything", async (t) => {
  const page = await open(t);
  await say(page, "native", "before");
  await agree(page, 1);
  for (const [i, transport] of TRANSPORTS.entries()) {
    const other = TRANSPORTS[(i + 1) % 4];
    await panel(page, transport).locator(".cut").click();
    await page.waitForSelector(`[data-transport="${transport}"][data-phase="cut"]`);
    await say(page, other, `without ${transport}`);
    await verdict(page, "behind");
    assert.match(await page.textContent("#verdict"), /is 1 behind/);
    await panel(page, transport).locator(".cut").click();
    await agree(page, i + 2);
    assert.deepEqual(await panel(page, transport).locator(".late .log-text").allTextContents(), [`without ${transport}`]);
  }
});

test("they talk by themselves, through a network that breaks", async (t) => {
  const page = await open(t, { url: set.network.url });
  await page.click("#talk");
  for (let cuts = 0; cuts < 8; ) {
    if (set.network.cutOne()) cuts++;
    await page.waitForTimeout(150);
  }
  await page.click("#talk");
  await allLive(page);
  await verdict(page, "equal");
  assert.equal(await page.locator(".log-problem").filter({ hasText: "gone" }).count(), 0);
});

test("while somebody is not connected it does not say that all is well", async (t) => {
  const page = await open(t, { url: set.network.url });
  await say(page, "native", "before");
  await agree(page, 1);
  await panel(page, "sse").locator(".cut").click();
  await verdict(page, "away");
  await says(page, "All four have read the same message; SSE is not connected now.");
  await panel(page, "sse").locator(".cut").click();
  await agree(page, 1);
  set.network.cut();
  await all("connecting")(page);
  await verdict(page, "away");
  await says(page, "All four have read the same message; they are not connected now.");
  const cut = panel(page, "native").locator(".cut");
  assert.equal(await cut.isDisabled(), true);
  assert.equal(await cut.evaluate((it) => getComputedStyle(it).boxShadow), "none", "it looks as if it could be used");
  set.network.heal();
  await allLive(page);
  await agree(page, 1);
});

test("who may not be in the room is told so, and does not try for ever", async (t) => {
  const page = await open(t, { room: "closed/room", there: allRefused });
  await says(page, "The server lets none of the four into this room.");
  for (const transport of TRANSPORTS) {
    assert.equal(await panel(page, transport).locator(".panel-phase").textContent(), "Not let in");
    assert.equal(await panel(page, transport).locator(".log-problem").count(), 1, transport);
    await panel(page, transport).getByRole("button", { name: "Try again" }).click();
    await panel(page, transport).locator(".log-problem").nth(1).waitFor();
  }
  await allRefused(page);
});

test("who is taken out of the room is told so", async (t) => {
  const room = newRoom();
  const page = await open(t, { room });
  const kicked = new Set(); // each poll without a token is of somebody new
  const phases = () => page.locator(".panel").evaluateAll((all) => all.map((it) => `${it.dataset.transport}: ${it.dataset.phase}`));
  const deadline = Date.now() + 30_000;
  for (let now = await phases(); !now.every((it) => it.endsWith(": refused")); now = await phases()) {
    assert.ok(Date.now() < deadline, `not everybody is told so: ${now.join(", ")}`);
    const { members } = await api(`presence?room=${room}`);
    for (const { user } of members.filter((it) => !kicked.has(it.user))) {
      kicked.add(user);
      await api("kick", { room, user, reason: "too loud", for: 60 });
    }
    await setTimeout(100);
  }
  for (const transport of TRANSPORTS) assert.equal(await panel(page, transport).locator(".log-problem").first().textContent(), "taken out of the room: too loud", transport);
});

test("everybody can use it, at any width, light and dark", async (t) => {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 1400]) {
      const page = await open(t, { viewport: { width, height: 800 }, colorScheme });
      await say(page, "native", "a rather long message, which has to wrap somewhere in a column as narrow as these are");
      await agree(page, 1);
      await panel(page, "sse").locator(".cut").click();
      await say(page, "socketio", "hello");
      await verdict(page, "behind");
      if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/transports-${width}-${colorScheme}.png`, fullPage: true });
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${width}: it scrolls sideways`);
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() => window.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), [], `${width} ${colorScheme}`);
    }
  }
});
