// Screenshots of every page in every state, to be looked at: `make screenshots` fills .cache/screenshots, one sheet a state
// with four pictures: 1,400 and 360 pixels wide, light and dark. ONLY=admin takes some of them, LOOKS=0,3 some of the four.

import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { launch } from "./page.mjs";
import { Server, binary, freePort } from "./server.mjs";

const KEY = "a key of these pictures, and of nothing else";
const SECRET = "a secret of these pictures, and of nothing else";
const OUT = process.env.SHOTS ?? new URL("../../.cache/screenshots", import.meta.url).pathname;
const ONLY = process.env.ONLY ?? "";
const PATIENCE = 120_000;
const ALL = [[1400, 900, "light"], [1400, 900, "dark"], [360, 780, "light"], [360, 780, "dark"]];
const LOOKS = process.env.LOOKS ? process.env.LOOKS.split(",").map((n) => ALL[n]) : ALL;

process.env.WIREROOM_ADMIN_KEY = KEY;
mkdirSync(OUT, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "wireroom-shots-"));
writeFileSync(join(folder, "secret"), SECRET);
writeFileSync(join(folder, "closed.yaml"), "rules:\n  - pattern: host/*\n    allow: {join: nobody}\n");
const adminPort = await freePort();
const admin = `http://127.0.0.1:${adminPort}`;
const open = new Server(await freePort(), ["--admin-listen", `127.0.0.1:${adminPort}`, "--node", "berlin-1", "--config", join(folder, "closed.yaml"), "--access", "anyone"]);
const free = new Server(await freePort(), ["--admin-listen", "off", "--node", "berlin-1"]);
const lockedPort = await freePort();
const locked = new Server(await freePort(), ["--admin-listen", `127.0.0.1:${lockedPort}`, "--access", "signed-in", "--secret-file", join(folder, "secret")]);
const browser = await launch();
const pictures = new Map(); // of each state, one a look

async function api(path, body, at = admin) {
  const answer = await fetch(`${at}/api/${path}`, { method: "POST", headers: { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return answer.status === 204 ? {} : answer.json();
}

const settled = (page) => page.waitForTimeout(1300); // the banner of a lost connection takes its time

async function tab([width, height, colorScheme], url) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale: "en-GB", reducedMotion: "reduce" });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** A token of the server that asks for one. */
function token(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const body = `${part({ alg: "HS256", typ: "JWT" })}.${part({ exp: Math.floor(Date.now() / 1000) + 3600, ...claims })}`;
  return `${body}.${createHmac("sha256", SECRET).update(body).digest("base64url")}`;
}

async function shoot(name, page, options = {}) {
  await settled(page);
  if (!pictures.has(name)) pictures.set(name, []);
  const taken = pictures.get(name);
  taken.push(await page.screenshot({ path: join(OUT, `${name}-${taken.length + 1}.png`), timeout: PATIENCE, ...options }));
}

const phase = (page, wanted) => page.waitForFunction((is) => document.getElementById("app").dataset.phase === is, wanted);
async function reads(page, at, text) {
  try {
    await page.waitForFunction(([where, part]) => document.querySelector(where)?.textContent.includes(part), [at, text]);
  } catch (cause) {
    throw new Error(`${at} does not say ${text}: ${await page.textContent("body")}`, { cause });
  }
}

async function enter(page, name) {
  await page.fill("#name", name);
  await page.press("#name", "Enter");
}

/** Somebody who talks in the busy room, and stays. */
async function talker(name, room) {
  const page = await tab([1280, 800, "light"], `${open.url}#${room}`);
  await enter(page, name);
  await phase(page, "live");
  return page;
}

const say = async (page, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};

async function chat(looks) {
  const others = [await talker("Ana Lovelace", "general"), await talker("Bob", "general"), await talker("李小龍", "general")];
  const words = ["Morning everybody", "Did the deploy go through?", "It did: 14 nodes, nobody noticed.", "Look: https://example.com/a/very/long/address/that/has/to/break/somewhere?because=it&is=long", "A longer message, to see how lines wrap when somebody has more to say than fits on one of them, which happens every day.", "`code` and\nseveral\nlines", "👍", "שלום, مرحبا"];
  for (let n = 0; n < 3; n++) for (const [i, word] of words.entries()) await say(others[(n + i) % 3], word);
  const rest = [];
  for (const look of looks) {
    const page = await tab(look, `${open.url}#general`);
    await page.waitForSelector("#name", { state: "visible" });
    await shoot("chat-welcome", page);
    await enter(page, "Grace");
    await phase(page, "live");
    await reads(page, "#log", "مرحبا");
    await others[1].evaluate(() => document.getElementById("text").focus());
    await others[1].keyboard.type("is typing");
    await shoot("chat-busy", page);
    for (const [id, name] of [[".tool[aria-controls='rooms'], #open-rooms, [data-opens='rooms']", "chat-rooms"], ["#people-badge", "chat-people"]]) {
      const button = page.locator(id).first();
      if (look[0] < 400 && await button.count() && await button.isVisible()) {
        await button.click();
        await shoot(name, page);
        await page.keyboard.press("Escape");
      }
    }
    const alone = await tab(look, `${open.url}#quiet-${look.join("-")}`);
    await enter(alone, "Grace");
    await phase(alone, "live");
    await shoot("chat-empty", alone);
    const user = await alone.textContent("#my-id");
    await api("kick", { room: `quiet-${look.join("-")}`, user, reason: "by an administrator", for: 60 });
    await alone.waitForSelector("#out", { state: "visible" });
    await shoot("chat-out", alone);
    await api("block", { user, reason: "spam", for: 60 });
    await phase(alone, "stopped");
    await shoot("chat-blocked", alone);
    const asked = await tab(look, `${locked.url}#general`);
    await enter(asked, "Grace");
    await phase(asked, "stopped");
    await shoot("chat-token-needed", asked);
    await asked.click("#banner-action");
    await asked.waitForSelector("#token", { state: "visible" });
    await shoot("chat-token", asked);
    await asked.fill("#token", "no token of this server");
    await asked.press("#token", "Enter");
    await phase(asked, "stopped");
    await shoot("chat-bad-token", asked);
    await asked.click("#banner-action");
    const me = `grace-${look.join("-")}`;
    await asked.fill("#token", token({ sub: me, name: "Grace" }));
    await asked.press("#token", "Enter");
    await phase(asked, "live");
    await say(asked, "Signed in.");
    await api("revoke", { user: me }, `http://127.0.0.1:${lockedPort}`);
    await phase(asked, "stopped");
    await shoot("chat-signed-out", asked);
    rest.push(["chat-offline", page]);
  }
  return rest;
}

async function dashboard(looks) {
  const rest = [];
  const watcher = await tab([1280, 800, "light"], `${free.url}dashboard`);
  await watcher.waitForTimeout(12_000); // so that there is something to draw
  for (const look of looks) {
    const page = await tab(look, `${free.url}dashboard`);
    await page.waitForFunction(() => document.getElementById("app").dataset.phase === "live" && document.querySelectorAll("canvas").length > 3);
    await page.waitForTimeout(2500);
    await shoot("dashboard-busy", page);
    await page.click("#pause");
    await shoot("dashboard-paused", page);
    await page.click("#pause");
    const refused = await tab(look, `${open.url}dashboard`);
    await refused.waitForTimeout(1500);
    await shoot("dashboard-not-allowed", refused);
    const asked = await tab(look, `${locked.url}dashboard`);
    await phase(asked, "stopped");
    await shoot("dashboard-token", asked);
    rest.push(["dashboard-offline", page]);
  }
  const first = [];
  for (const look of looks) {
    const page = await tab(look, "about:blank");
    await page.route("**/ws", () => {});
    await page.routeWebSocket(/\/ws/, () => {}); // it never answers
    await page.goto(`${free.url}dashboard`);
    await shoot("dashboard-empty", page);
    first.push(page);
  }
  return rest;
}

async function unlock(page) {
  await page.fill("#key", KEY);
  await page.press("#key", "Enter");
  await page.waitForSelector("#app", { state: "visible" });
  await phase(page, "live");
}

async function administration(looks) {
  for (const look of looks) {
    const page = await tab(look, `${admin}/admin`);
    await shoot("admin-gate", page);
    await page.fill("#key", "none of them");
    await page.press("#key", "Enter");
    await reads(page, "#key-problem", "not one");
    await shoot("admin-gate-error", page);
    await unlock(page);
    await reads(page, "#rooms-empty", "No room is open");
    await shoot("admin-rooms-empty", page);
    await page.context().close();
  }
}

async function administrationBusy(looks) {
  const rest = [];
  const ana = await talker("Ana Lovelace", "orders/7");
  await talker("Bob", "orders/7");
  const user = await ana.textContent("#my-id");
  for (let n = 0; n < 60; n++) await api("publish", { room: "orders/7", event: n % 3 ? "" : "paid", data: n % 3 ? `message ${n}` : { total: n * 1.5, currency: "EUR" }, from: { user: "shop", name: "Shop" } });
  for (let n = 0; n < 14; n++) await api("publish", { room: `sensors/hall-${n}`, data: n });
  const { pos } = await api("publish", { room: "orders/7", data: "the last one" });
  const leaver = await talker("Carol", "orders/7");
  const carol = await leaver.textContent("#my-id");
  await leaver.context().close();
  await ana.waitForTimeout(1500); // until the server knows
  const missed = await api("publish", { room: "orders/7", data: "after Carol" });
  for (const look of looks) {
    const page = await tab(look, `${admin}/admin`);
    await unlock(page);
    await reads(page, "#room-rows", "orders/7");
    await page.waitForTimeout(2300);
    await shoot("admin-rooms", page);
    await page.goto(`${admin}/admin#room/orders%2F7`);
    await reads(page, "#people", "Bob");
    await shoot("admin-room", page);
    await page.click('button[aria-label="Kick Bob"]');
    await shoot("admin-ask", page);
    await page.click("#ask-no");
    await page.goto(`${admin}/admin#room/nobody%2Fever`);
    await shoot("admin-room-empty", page);
    await page.goto(`${admin}/admin#connections`);
    await reads(page, "#connection-rows", "Ana");
    await shoot("admin-connections", page);
    await page.goto(`${admin}/admin#connections/nobody`);
    await reads(page, "#connections-empty", "no connection");
    await shoot("admin-connections-empty", page);
    await page.goto(`${admin}/admin#nodes`);
    await reads(page, "#node-rows", "berlin-1");
    await shoot("admin-nodes", page);
    await page.goto(`${admin}/admin#life/${user}`);
    await reads(page, "#life-here", "orders/7");
    await shoot("admin-life", page);
    await page.goto(`${admin}/admin#life/${carol}`);
    await reads(page, "#life-turns", "ended");
    await shoot("admin-life-ended", page);
    await page.goto(`${admin}/admin#why`);
    await shoot("admin-why", page);
    await page.goto(`${admin}/admin#why/${user}/orders%2F7/${pos}`);
    await reads(page, "#answer-reason", "Delivered");
    await shoot("admin-why-delivered", page);
    await page.goto(`${admin}/admin#why/${carol}/orders%2F7/${missed.pos}`);
    await reads(page, "#answer-reason", "Disconnected");
    await shoot("admin-why-disconnected", page);
    await page.fill("#why-when", "whenever");
    await page.press("#why-when", "Enter");
    await shoot("admin-why-error", page);
    await page.goto(`${admin}/admin#rooms`);
    rest.push(["admin-offline", page]);
  }
  return rest;
}

async function transports(looks) {
  const rest = [];
  const verdict = (page, wanted) => page.waitForFunction((is) => document.getElementById("verdict").dataset.verdict === is, wanted);
  const live = (page) => page.waitForFunction(() => document.querySelectorAll('.panel[data-phase="live"]').length === 4);
  const panel = (page, transport) => page.locator(`[data-transport="${transport}"]`);
  const tell = async (page, transport, text) => {
    await panel(page, transport).locator("input").fill(text);
    await panel(page, transport).locator("input").press("Enter");
  };
  for (const look of looks) {
    const closed = await tab(look, `${open.url}demo/transports#host/closed`);
    await closed.waitForSelector(".log-problem");
    await shoot("transports-not-allowed", closed);
    await closed.context().close();
    const page = await tab(look, `${free.url}demo/transports#shots-${look.join("-")}`);
    await live(page);
    await shoot("transports-empty", page);
    await tell(page, "native", "Good morning, everybody");
    await tell(page, "poll", "a rather long message, which has to wrap somewhere in a column as narrow as these are, https://example.com/a/very/long/address/that/has/to/break");
    for (let n = 1; n <= 12; n++) await tell(page, ["socketio", "sse", "native"][n % 3], `message ${n}`);
    await verdict(page, "equal");
    await shoot("transports-busy", page);
    await panel(page, "sse").locator(".cut").click();
    await panel(page, "sse").locator("text=Come back").waitFor();
    await tell(page, "socketio", "without the stream");
    await tell(page, "native", "שלום, مرحبا 👍");
    await verdict(page, "behind");
    await shoot("transports-behind", page);
    await panel(page, "sse").locator(".cut").click();
    await live(page);
    await verdict(page, "equal");
    await panel(page, "sse").locator(".late").first().waitFor();
    await shoot("transports-back", page);
    if (look[0] < 400) { // the other panels stand below
      await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      await shoot("transports-below", page);
    }
    rest.push(["transports-offline", page]);
  }
  return rest;
}

/** The page that the load tester writes, and the charts that the documents show. */
async function reports(looks) {
  const report = join(folder, "report.html");
  execFileSync(binary(), ["bench", "fan-out", "--server", `${free.url.replace("http", "ws")}ws`, "-n", "50", "--rate", "100", "--warmup", "1s", "-d", "8s", "--replies", "--html", report], { stdio: "ignore" });
  const images = new URL("../../docs/images/", import.meta.url);
  const charts = ["connections", "members-of-a-room", "bytes-of-a-message"].map((name) => `<p>growth-${name}</p><img alt="${name}" style="max-width:100%" src="${new URL(`growth-${name}.svg`, images).href}">`);
  const sheet = join(folder, "charts.html");
  writeFileSync(sheet, `<!doctype html><meta name="viewport" content="width=device-width"><style>:root{color-scheme:light dark}body{font:14px sans-serif}</style>${charts.join("")}`);
  for (const look of looks) {
    const page = await tab(look, pathToFileURL(report).href);
    await shoot("bench-report", page, { fullPage: true });
    await page.goto(pathToFileURL(sheet).href);
    await shoot("docs-charts", page, { fullPage: true });
    await page.context().close();
  }
}

/** One picture of the four of a state. */
async function sheet(name, shots) {
  const context = await browser.newContext({ viewport: { width: 2180, height: 900 } });
  const page = await context.newPage();
  const images = shots.map((shot, n) => `<img style="height:780px" alt="${n}" src="data:image/png;base64,${shot.toString("base64")}">`);
  await page.setContent(`<body style="margin:10px;background:#888;display:flex;flex-wrap:wrap;gap:10px;width:2140px">${images.join("")}`);
  await page.screenshot({ path: join(OUT, `${name}.png`), fullPage: true, timeout: PATIENCE });
  await context.close();
}

try {
  await Promise.all([open.start(), free.start(), locked.start()]);
  const wanted = (what) => what.startsWith(ONLY) || ONLY.startsWith(what);
  const rest = [];
  if (wanted("admin")) await administration(LOOKS);
  if (wanted("chat")) rest.push(...await chat(LOOKS));
  if (wanted("dashboard")) rest.push(...await dashboard(LOOKS));
  if (wanted("admin")) rest.push(...await administrationBusy(LOOKS));
  if (wanted("bench") || wanted("docs")) await reports(LOOKS);
  if (wanted("transports")) rest.push(...await transports(LOOKS));
  await Promise.all([open.stop("SIGKILL"), free.stop("SIGKILL")]);
  for (const [name, page] of rest) {
    if (name.startsWith("transports")) await page.waitForFunction(() => !document.querySelector('.panel[data-phase="live"]'));
    else await phase(page, "offline");
    await shoot(name, page);
  }
} finally {
  for (const [name, shots] of pictures) await sheet(name, shots).catch((error) => console.error(`no sheet of ${name}: ${error.message}`));
  console.log(`${pictures.size} sheets in ${OUT}: ${[...pictures.keys()].join(" ")}`);
  await browser.close();
  await Promise.all([open, free, locked].map((server) => server.stop("SIGKILL")));
  rmSync(folder, { recursive: true, force: true });
}
