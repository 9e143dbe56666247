// The dashboard in a browser, with the readings of this machine.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import axe from "axe-core";
import { Network } from "./network.mjs";
import { launch } from "./page.mjs";
import { Server, freePort } from "./server.mjs";

let browser, server, network;
before(async () => {
  server = await new Server(await freePort()).start();
  network = await Network.to(server.port);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await network?.close();
  await server?.stop("SIGKILL");
});

/** Opens the dashboard; `said` is what the server said. */
async function open(t, { url = server.url, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  page.said = [];
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => typeof payload === "string" && page.said.push(JSON.parse(payload))));
  t.after(async () => {
    await context.close();
    assert.deepEqual(problems.filter((text) => !/WebSocket connection to|net::ERR_/.test(text)), []);
  });
  await page.goto(new URL("dashboard", url).href);
  return page;
}

const value = (page, room, n = 0) => page.locator(`[data-room="${room}"] .figure-value`).nth(n);

/** Waits until a text of the page matches. */
async function reads(page, selector, pattern) {
  await page.waitForFunction(([at, source]) => new RegExp(source).test(document.querySelector(at)?.textContent), [selector, pattern.source]);
}

test("the machine's readings come, with their changes, and are drawn", async (t) => {
  const page = await open(t);
  await reads(page, "#status-text", /^Live$/);
  for (const [room, pattern] of [["cpu", /^[\d.]+ %$/], ["memory", /^[\d.]+ [KMG]iB$/], ["network", /B\/s$/], ["disk", /B\/s$|^n\/a$/]]) {
    await reads(page, `[data-room="host/${room}"] .figure-value`, pattern);
  }
  await reads(page, '[data-room="host/memory"] .figure-percent', /^[+−±][\d.]+ %$/);
  assert.equal(await page.locator(".card canvas").count(), 4);
  assert.match(await page.locator('[data-room="host/cpu"] .card-chart').getAttribute("aria-label"), /lowest [\d.]+ %, highest [\d.]+ %/);
  await reads(page, "#watching", /only one looking/);
});

test("a second visitor sees the last value and the minutes before at once", async (t) => {
  const first = await open(t);
  await first.waitForFunction(() => /lowest/.test(document.querySelector('[data-room="host/memory"] .card-chart')?.getAttribute("aria-label")));
  const second = await open(t);
  await reads(second, '[data-room="host/memory"] .figure-value', /iB$/);
  const joined = second.said.find(({ of, room }) => of === "join" && room === "host/memory");
  assert.equal(joined.count, 1, "the newest, and not the backlog");
  await reads(second, "#watching", /2 people are looking/);
});

test("paused, nothing moves; resumed, the newest is there", async (t) => {
  const page = await open(t);
  await reads(page, '[data-room="host/memory"] .figure-percent', /%$/);
  await page.click("#pause");
  await reads(page, "#paused", /^Paused at/);
  const texts = () => page.locator(".figures").allTextContents();
  const frozen = await texts();
  const told = page.said.length;
  while (page.said.filter(({ room }) => room === "host/cpu").length < 3 || page.said.length < told + 8) await page.waitForTimeout(50);
  assert.deepEqual(await texts(), frozen);
  await page.click("#pause");
  await page.waitForFunction((before) => [...document.querySelectorAll(".figures")].some((node, n) => node.textContent !== before[n]), frozen);
  await reads(page, "#paused", /^$/);
});

test("after a lost connection the newest comes and not the backlog, and the chart has it all", async (t) => {
  const watcher = await open(t); // so that reading goes on meanwhile
  const page = await open(t, { url: network.url });
  await reads(page, '[data-room="host/memory"] .figure-value', /iB$/);
  network.cut();
  await reads(page, "#status-text", /^Offline$/);
  await page.waitForSelector("#banner", { state: "visible" });
  await reads(page, "#watching", /^Dashboard$/); // who else looks is not known now
  await page.setViewportSize({ width: 240, height: 800 });
  assert.deepEqual(await page.$$eval(".card-note", (notes) => notes.filter((note) => note.scrollWidth > note.clientWidth).map((note) => note.textContent)), [], "cut off");
  const before = watcher.said.filter(({ type, room }) => type === "message" && room === "host/memory").length;
  while (watcher.said.filter(({ type, room }) => type === "message" && room === "host/memory").length < before + 3) await watcher.waitForTimeout(50);
  page.said.length = 0;
  network.heal();
  await page.waitForFunction(() => {
    const { phase } = document.getElementById("app").dataset;
    if (phase === "offline") document.getElementById("banner-action").click();
    return phase === "live";
  });
  await page.waitForFunction(() => document.getElementById("banner").hidden);
  while (!page.said.some(({ of, room }) => of === "history" && (room ?? "host/memory") === "host/memory")) await page.waitForTimeout(50);
  const joined = page.said.find(({ of, room }) => of === "join" && room === "host/memory");
  assert.deepEqual([joined.count, joined.recovered], [1, true]);
  const offsets = page.said.filter(({ of }) => of === "history").flatMap(({ messages }) => messages).filter(({ room }) => room === "host/memory").map(({ pos }) => Number(pos.split(".")[1]));
  assert.ok(offsets.length > 3 && offsets.every((offset, n) => n === 0 || offset === offsets[n - 1] + 1), "the log has no hole");
});

test("a page that was busy draws the newest alone", async (t) => {
  const page = await open(t);
  await reads(page, '[data-room="host/memory"] .figure-percent', /%$/);
  const drawn = await page.evaluate(() => new Promise((resolve) => {
    let drawn = 0;
    const canvas = document.querySelector('[data-room="host/cpu"] canvas');
    const { prototype } = CanvasRenderingContext2D;
    const { clearRect } = prototype;
    prototype.clearRect = function (...all) {
      if (this.canvas === canvas) drawn++;
      return clearRect.apply(this, all);
    };
    const until = performance.now() + 7500;
    while (performance.now() < until); // the page does nothing else, and some seven messages wait in each of four rooms
    setTimeout(() => resolve(drawn), 500);
  }));
  assert.ok(drawn > 0 && drawn <= 12, `drew ${drawn} times`);
});

test("nobody but the server publishes there", async (t) => {
  const page = await open(t);
  const refused = await page.evaluate(() => new Promise((resolve) => {
    const socket = new WebSocket("ws");
    socket.onopen = () => socket.send('{"type":"publish","room":"host/cpu","data":{"percent":1},"id":1}');
    socket.onmessage = ({ data }) => JSON.parse(data).type === "error" && resolve(JSON.parse(data).code);
  }));
  assert.equal(refused, "forbidden");
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing, ${colorScheme}, wide and narrow`, async (t) => {
    for (const viewport of [{ width: 1400, height: 900 }, { width: 360, height: 800 }]) {
      const page = await open(t, { colorScheme, viewport, bypassCSP: true });
      await reads(page, '[data-room="host/memory"] .figure-percent', /%$/);
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`), []);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.equal(wide, false, "nothing is cut off at the side");
    }
  });
}
