// Foreign text is text, the browser enforces the policy, and everybody can use the page.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { newRoom, stage } from "./stage.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const HOSTILE = [
  "<script>alert(1)</script>",
  '<img src=x onerror="alert(1)">',
  "\"><svg/onload=alert(1)>",
  "javascript:alert(1)",
  "{{constructor.constructor('alert(1)')()}}",
  "\u202Egnp.exe \u2066isolated",
];

const set = stage();

test("markup in messages and names is shown as text", async () => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room });
  const eve = await set.arrive("<img src=x onerror=alert(1)>", { room });
  for (const text of HOSTILE) await eve.say(text);
  await eve.say("a link: https://example.com/?q=<b>");
  await ana.sees(HOSTILE.at(-1));
  assert.deepEqual((await ana.texts()).slice(0, HOSTILE.length), HOSTILE);
  assert.deepEqual(await ana.people(), ["Ana", "<img src=x onerror=alert(1)>"]);
  assert.equal(await ana.page.$$eval("#log script, #log img, #log svg:not(.icon), #log iframe", (nodes) => nodes.length), 0);
  assert.deepEqual(await ana.page.$$eval("#log a", (links) => links.map(({ href, rel }) => [href, rel])), [["https://example.com/?q=", "noopener noreferrer nofollow"]]);
});

test("markup in the address and in what other programs publish is shown as text", async () => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room });
  await ana.page.evaluate(([url, to]) => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => {
      const publish = (data, more = {}) => socket.send(JSON.stringify({ type: "publish", room: to, data, ...more }));
      publish({ html: "<b onclick=alert(1)>x</b>" });
      publish("plain <i>string</i>");
      publish(null, { event: "<u>event</u>" });
      publish({ text: "done" });
    };
    socket.onmessage = ({ data }) => JSON.parse(data).type === "error" && resolve(data);
    setTimeout(resolve, 300);
  }), [set.server.url.replace("http", "ws") + "ws", room]);
  assert.deepEqual(await ana.sees("done"), ['{"html":"<b onclick=alert(1)>x</b>"}', "plain <i>string</i>", "null", "done"]);
  assert.equal(await ana.page.textContent(".event"), "<u>event</u>");
  await ana.page.evaluate(() => (location.hash = "<img src=x onerror=alert(1)>"));
  await ana.shows("#title", "lobby");
});

test("the browser enforces the policy", async () => {
  const ana = await set.arrive("Ana");
  const blocked = await ana.page.evaluate(async () => {
    const attempt = async (act) => {
      try {
        await act();
        return "allowed";
      } catch {
        return "blocked";
      }
    };
    return {
      markup: await attempt(() => (document.createElement("p").innerHTML = "<b>x</b>")),
      fetch: await attempt(() => fetch("http://127.0.0.1:9/")),
      socket: await attempt(() => new Promise((resolve, reject) => Object.assign(new WebSocket("ws://127.0.0.1:9/"), { onopen: resolve, onerror: reject }))),
      own: await attempt(() => fetch("chat/chat.js")),
    };
  });
  assert.deepEqual(blocked, { markup: "blocked", fetch: "blocked", socket: "blocked", own: "allowed" });
  const violations = ana.problems.splice(0).join("\n");
  for (const directive of ["connect-src http://127.0.0.1:9", "connect-src ws://127.0.0.1:9", "require-trusted-types-for"]) {
    assert.ok(violations.includes(directive), `the browser reports ${directive}: ${violations}`);
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`an audit finds no barrier in the ${colorScheme} page, contrast included`, async () => {
    const room = newRoom();
    const [ana, ben] = [await set.arrive("Ana", { room, colorScheme, breakable: true }), await set.arrive("Ben Okafor", { room })];
    await audit(ana, "an empty room");
    await ben.say("Have a look at https://example.com/");
    await ana.say("I will");
    await ana.sees("I will");
    await ana.allSent();
    await ben.page.type("#text", "…");
    await ana.shows("#typing-text", "Ben Okafor is typing");
    await audit(ana, "a conversation");
    await ana.writeTo(ben);
    await ana.say("a private word");
    await ana.allSent();
    await audit(ana, "private messages");
    await ana.page.click("#me");
    await audit(ana, "the name dialog");
    await ana.page.click("#name-cancel");
    set.network.cut();
    await ana.say("waiting");
    await ana.page.waitForSelector("#banner", { state: "visible" });
    await audit(ana, "offline");
    await ana.page.setViewportSize({ width: 360, height: 700 });
    await ana.page.click("#open-rooms");
    await audit(ana, "the drawer of a narrow window");
  });
}

async function audit(person, where) {
  await person.page.evaluate(() => {
    const passing = document.getAnimations().filter(({ effect }) => effect.getTiming().iterations !== Infinity);
    return Promise.allSettled(passing.map(({ finished }) => finished));
  });
  await person.page.evaluate(AXE);
  const { violations } = await person.page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
  assert.deepEqual(found, [], where);
}

test("a narrow window has one column and two drawers, all of it by keyboard", async () => {
  const room = newRoom();
  const ana = await set.arrive("Ana", { room, viewport: { width: 360, height: 640 } });
  const { page } = ana;
  await page.waitForSelector("#empty", { state: "visible" });
  assert.equal(await page.$eval("#scroller", (node) => node.scrollWidth <= node.clientWidth), true, "an empty room is not cut off");
  await set.arrive("Somebody with a name that is as long as", { room });
  await ana.say("wide".repeat(100));
  await ana.allSent();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, "nothing sticks out");
  assert.equal(await page.$eval("#scroller", (node) => node.scrollWidth <= node.clientWidth), true);
  assert.equal(await page.isVisible("#rooms"), false);
  await page.focus("#open-rooms");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#rooms", { state: "visible" });
  assert.equal(await page.evaluate(() => document.getElementById("rooms").contains(document.activeElement)), true);
  await page.keyboard.press("Escape");
  await page.waitForSelector("#rooms", { state: "hidden" });
  assert.equal(await page.evaluate(() => document.activeElement.id), "open-rooms");
  await page.click("#open-people");
  await page.waitForSelector("#people", { state: "visible" });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, "nor with a drawer open");
  await page.click(".person button");
  await page.waitForSelector("#people", { state: "hidden" });
  await ana.shows("#subtitle", "Private messages");
});

test("all of it works by keyboard alone", async () => {
  const ana = await set.arrive("");
  const { page } = ana;
  await page.waitForSelector("#name-dialog[open]");
  await page.keyboard.press("Escape");
  assert.equal(await page.isVisible("#name-dialog"), true, "a first name is needed");
  await page.keyboard.type("Ana");
  await page.keyboard.press("Enter");
  await ana.live();
  assert.equal(await page.evaluate(() => document.activeElement.id), "text", "one can write at once");
  assert.equal(await page.evaluate(() => document.querySelector("button, a, input, textarea").id), "skip", "the way past the lists comes first");
  await page.focus("#skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "text");
  await page.keyboard.type("typed");
  await page.keyboard.press("Enter");
  await ana.sees("typed");
});

test("a screen reader hears who said what, and what became of the connection", async () => {
  const room = newRoom();
  const [ana, ben] = [await set.arrive("Ana", { room }), await set.arrive("Ben", { room })];
  await ben.say("first");
  await ben.say("second, in the same group");
  await ana.sees("second, in the same group");
  const log = await ana.page.$eval("#log", (node) => [node.getAttribute("role"), node.getAttribute("aria-live"), node.getAttribute("aria-busy")]);
  assert.deepEqual(log, ["log", "polite", "false"]);
  const heard = await ana.page.$$eval(".message .bubble", (nodes) => nodes.map((node) => node.textContent));
  assert.match(heard[1], /^Ben, \d\d?:\d\d: second, in the same group$/);
  assert.equal(await ana.page.$eval("#status-text", (node) => node.getAttribute("role")), "status");
  assert.equal(await ana.page.textContent("#status-text"), "Live");
});

test("the token that makes one the same user stays out of every address", async () => {
  const ana = await set.arrive("Ana");
  const addresses = [];
  ana.page.on("websocket", (socket) => addresses.push(socket.url()));
  const user = await ana.user();
  await ana.page.reload();
  await ana.live();
  assert.equal(await ana.user(), user);
  assert.deepEqual(addresses, [set.server.url.replace("http", "ws") + "ws?heartbeat=json&name=Ana"]);
});
