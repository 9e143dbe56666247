// The page that shows one room over four transports: they read the same, and what was missed comes back.

import assert from "node:assert/strict";
import { test } from "node:test";
import axe from "axe-core";
import { newRoom, stage } from "./stage.mjs";

const TRANSPORTS = ["native", "socketio", "sse", "poll"];

const set = stage();

/** Opens the page on a room, and waits until all four are there. */
async function open(t, { room = newRoom(), url = set.server.url, ...options } = {}) {
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
  await allLive(page);
  return page;
}

const allLive = (page) => page.waitForFunction(() => document.querySelectorAll('.panel[data-phase="live"]').length === 4);
const panel = (page, transport) => page.locator(`[data-transport="${transport}"]`);
const texts = (page, transport) => panel(page, transport).locator(".log-text").allTextContents();
const rows = (page, transport) => panel(page, transport).locator("[data-offset]").evaluateAll((all) => all.map((it) => `${it.dataset.offset} ${it.textContent}`));

/** Waits until the page says that all four have read the same. */
async function agree(page, count) {
  await page.waitForFunction(
    ([n]) => document.getElementById("verdict").dataset.verdict === "equal" && [...document.querySelectorAll(".panel-count")].every((it) => it.textContent === String(n)),
    [count],
  );
  const all = await Promise.all(TRANSPORTS.map((transport) => rows(page, transport)));
  for (const other of all) assert.deepEqual(other, all[0]);
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
    await page.waitForFunction(() => document.getElementById("verdict").dataset.verdict === "behind");
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
  await page.waitForFunction(() => document.getElementById("verdict").dataset.verdict === "equal");
  assert.equal(await page.locator(".log-problem").filter({ hasText: "gone" }).count(), 0);
});

test("everybody can use it, at any width, light and dark", async (t) => {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 1400]) {
      const page = await open(t, { viewport: { width, height: 800 }, colorScheme });
      await say(page, "native", "a rather long message, which has to wrap somewhere in a column as narrow as these are");
      await agree(page, 1);
      await panel(page, "sse").locator(".cut").click();
      await say(page, "socketio", "hello");
      await page.waitForFunction(() => document.getElementById("verdict").dataset.verdict === "behind");
      if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/transports-${width}-${colorScheme}.png`, fullPage: true });
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${width}: it scrolls sideways`);
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() => window.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), [], `${width} ${colorScheme}`);
    }
  }
});
