// Rooms without WebSocket: a bare EventSource in a real browser, and the other programs that people reach for.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { promisify } from "node:util";
import { Network } from "./network.mjs";
import { launch } from "./page.mjs";
import { Server, freePort } from "./server.mjs";
import { newRoom } from "./stage.mjs";

const run = promisify(execFile);
const PAGE = readFileSync(new URL("../../docs/sse.md", import.meta.url), "utf8").match(/```html\n(.*?)```/s)[1];

let server, network, browser, folder;
const pages = [];

before(async () => {
  server = await new Server(await freePort(), ["--origins", "null", "--limits-publish-rate", "0"]).start();
  network = await Network.to(server.port);
  browser = await launch();
  folder = mkdtempSync(join(tmpdir(), "wireroom-eventsource-"));
});

afterEach(async () => {
  network.heal();
  for (const page of pages.splice(0)) await page.close();
});

after(async () => {
  await browser?.close();
  await network?.close();
  await server?.stop("SIGKILL");
  if (folder) rmSync(folder, { recursive: true });
});

async function open(address) {
  const page = await browser.newPage();
  pages.push(page);
  await page.goto(address);
  return page;
}

async function publish(room, data) {
  const body = JSON.stringify({ type: "publish", room, data });
  const reply = await (await fetch(server.url + "send", { method: "POST", body })).json();
  assert.equal(reply.type, "ok");
}

/** Listens on a page of the server's own, over the network that can break; what it got is in `got`. */
async function listen(query) {
  const page = await open(network.url);
  await page.evaluate((address) => {
    window.got = [];
    window.replies = [];
    window.events = new EventSource(address);
    events.addEventListener("message", ({ data }) => got.push(JSON.parse(data).data));
    events.addEventListener("ok", ({ data }) => replies.push(JSON.parse(data)));
  }, "/sse?" + query);
  return page;
}

test("a bare EventSource gets every message once, through connections that break", async () => {
  const room = newRoom();
  const page = await listen(`room=${room}&room=${room}-too`);
  await page.waitForFunction(() => replies.length === 2);
  const sent = [];
  for (let cut = 0; cut < 8; cut++) {
    for (let i = 0; i < 20; i++) {
      sent.push(sent.length);
      await publish(room, sent.length - 1);
    }
    network.cut();
    sent.push(sent.length);
    await publish(room, sent.length - 1); // while it is away
    network.heal();
    if (cut % 3 === 0) await page.waitForFunction((n) => got.length === n, sent.length); // else the next cut comes early
  }
  await page.waitForFunction((n) => got.length >= n, sent.length);
  assert.deepEqual(await page.evaluate("got"), sent);
  const replies = await page.evaluate("replies");
  assert.ok(replies.length > 6, "it has not come back");
  assert.ok(replies.slice(2).every((it) => it.recovered === true));
});

test("a bare EventSource stops when it is told to, and comes back when it is told to", async () => {
  const page = await listen("room=@somebody-else");
  await page.waitForFunction(() => events.readyState === 2);
  await page.evaluate("window.events = new EventSource('/sse')");
  await page.waitForFunction(() => events.readyState === 2);

  const room = newRoom();
  const other = await listen("room=" + room);
  await other.waitForFunction(() => replies.length === 1);
  await server.stop(); // drains
  assert.notEqual(await other.evaluate("events.readyState"), 2);
  await server.start();
  await other.waitForFunction(() => replies.length === 2);
  const [, reply] = await other.evaluate("replies");
  assert.equal(reply.recovered, false); // the server's memory is gone, and says so
  assert.equal(reply.reason, "epoch");
});

test("the page of the documents talks, and shows what was missed", async () => {
  const file = join(folder, "page.html");
  writeFileSync(file, PAGE.replace("http://127.0.0.1:8080", network.url.slice(0, -1)));
  const [a, b] = [await open("file://" + file), await open("file://" + file)];
  for (const page of [a, b]) await page.waitForFunction(() => events.readyState === 1);
  await a.fill("input", "hello <b>there</b>");
  await a.press("input", "Enter");
  for (const page of [a, b]) await page.waitForSelector("p:has-text('hello <b>there</b>')");
  network.cut();
  await publish("lobby", "missed");
  network.heal();
  for (const page of [a, b]) await page.waitForSelector("p:has-text('missed')");
  assert.equal(await a.locator("p").count(), 2);
});

test("a page reads a stream with fetch, and polls", async () => {
  const room = newRoom();
  await publish(room, "one");
  const page = await open(server.url);
  const text = await page.evaluate(async (room) => {
    const stream = await fetch(`/sse?room=${room}&last=1`);
    const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("event: message")) text += (await reader.read()).value;
    await reader.cancel();
    const poll = await (await fetch(`/poll?room=${room}&last=1`)).json();
    return text + JSON.stringify(poll.messages.at(-1));
  }, room);
  assert.match(text, /"data":"one"}\nid: .*"data":"one"}$/s);
});

test("curl and Python read and write", async () => {
  const room = newRoom();
  const curl = spawn("curl", ["-sN", `${server.url}sse?room=${room}`]);
  let heard = "";
  curl.stdout.on("data", (text) => (heard += text));
  const hears = async (text) => {
    while (!heard.includes(text)) await new Promise((resolve) => curl.stdout.once("data", resolve));
  };
  await hears("event: ok");
  const { stdout } = await run("curl", ["-s", server.url + "send", "-d", `{"type":"publish","room":"${room}","data":"by curl"}`]);
  assert.equal(JSON.parse(stdout).type, "ok");
  await hears('"by curl"');
  const program = `
import json, sys, urllib.request
base, room = sys.argv[1:]
def get(path): return json.load(urllib.request.urlopen(base + path))
at = get("poll?room=" + room + "&last=1")
print(at["messages"][-1]["data"])
body = json.dumps({"type": "publish", "room": room, "data": "by Python"}).encode()
urllib.request.urlopen(urllib.request.Request(base + "send", body, {"Content-Type": "application/json"})).read()
print(get("poll?room=" + room + "&cursor=" + at["cursor"])["messages"][-1]["data"])
for line in urllib.request.urlopen(base + "sse?room=" + room + "&last=1"):
    if line.startswith(b"id: ") and b".2." in line: break
    if b"by Python" in line: print("streamed")
`;
  const python = await run("python3", ["-c", program, server.url, room]);
  assert.equal(python.stdout, "by curl\nby Python\nstreamed\n");
  await hears('"by Python"');
  curl.kill();
});
