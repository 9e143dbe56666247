import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { Client } from "../../src/index.js";
import { connectTo, next } from "../e2e/kit.js";
import { type Proxy, startProxy } from "../e2e/proxy.js";
import { type Server, startServer } from "../e2e/server.js";
import { launch, open as openPage } from "./pages.js";
import { snippet, snippets } from "./snippets.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = "javascript.md";
let server: Server;
let proxy: Proxy;
let browser: Browser;
let bob: Client;

beforeAll(async () => {
  server = await startServer({ args: ["--origins=*"] });
  proxy = await startProxy(server.port);
  bob = connectTo(server.url, { name: "Bob" });
  browser = await launch();
});
afterAll(async () => {
  bob?.close();
  await browser?.close();
  await proxy?.close();
  await server?.stop();
});

/** Opens a page of the documentation. */
const open = (html: string) => openPage(browser, html.replaceAll("localhost:8080", `127.0.0.1:${proxy.port}`));

/** Opens a page with what a module of the documentation exports. */
async function load(code: string): Promise<Page> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: root },
    bundle: true,
    format: "iife",
    globalName: "Program",
    write: false,
  });
  return open(`<!doctype html><script>${outputFiles[0]?.text}</script>`);
}

test("every program is there on our client and on the bare WebSocket", () => {
  const names = snippets(page).map(({ section, name }) => `${section}: ${name}`);
  for (const section of ["A page that talks", "A class that reconnects", "A heartbeat", "A live dashboard"]) {
    expect(names).toContain(`${section}: ours`);
    expect(names).toContain(`${section}: bare`);
  }
});

describe.each(["ours", "bare"])("on %s", (kind) => {
  test("a page that talks", async () => {
    const opened = await open(snippet(page, "A page that talks", kind));
    const lobby = bob.room<string>("lobby", { presence: true });
    await lobby.joined;
    await opened.waitForFunction(() => document.querySelector("output")?.value === "open");
    // The page is in the room when its own message comes back.
    await opened.fill("input", "from the page");
    await opened.press("input", "Enter");
    await opened.waitForFunction(() => document.querySelector("li")?.textContent === "from the page");
    await lobby.publish("from bob");
    await opened.waitForFunction(() => document.querySelectorAll("li")[1]?.textContent === "from bob");
    expect(await opened.inputValue("input")).toBe("");
    proxy.cut();
    if (kind === "ours") {
      await lobby.publish("while away");
      await opened.waitForFunction(() => document.querySelectorAll("li")[2]?.textContent === "while away");
      await opened.waitForFunction(() => document.querySelector("output")?.value === "open");
    } else {
      await opened.waitForFunction(() => document.querySelector("output")?.value === "closed");
    }
    await opened.close();
  });

  test("a class that reconnects", async () => {
    const echo = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    let connections = 0;
    echo.on("connection", (socket) => {
      connections++;
      socket.on("message", (data) => socket.send(String(data)));
    });
    await once(echo, "listening");
    const path = await startProxy((echo.address() as { port: number }).port);
    const opened = await load(snippet(page, "A class that reconnects", kind));
    await opened.evaluate((url) => {
      const told: unknown[] = [];
      const socket = (globalThis as any).Program.start(url, {
        onConnect: () => told.push("connected"),
        onMessage: (message: unknown) => told.push(message),
        onClose: () => told.push("closed"),
      });
      Object.assign(globalThis, { told, socket });
    }, `ws://127.0.0.1:${path.port}`);
    const told = (count: number) => opened.waitForFunction((n) => (globalThis as any).told.length >= n, count);
    await told(1);
    await opened.evaluate(() => (globalThis as any).socket.send({ n: 1 }));
    await told(2);
    path.cut();
    await told(3);
    await opened.evaluate(() => (globalThis as any).socket.send({ n: 2 }));
    await told(4);
    await opened.evaluate(() => (globalThis as any).socket.close());
    await told(5);
    expect(await opened.evaluate(() => (globalThis as any).told)).toEqual(["connected", { n: 1 }, "connected", { n: 2 }, "closed"]);
    path.cut();
    expect(connections).toBe(2);
    await opened.close();
    await path.close();
    echo.close();
  });

  test("a heartbeat", async () => {
    const silent = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    let pings = 0;
    let mute = false;
    silent.on("connection", (socket) =>
      socket.on("message", (data) => {
        pings += JSON.parse(String(data)).type === "ping" ? 1 : 0;
        if (!mute) {
          socket.send('{"type":"pong"}');
        }
      }),
    );
    await once(silent, "listening");
    const opened = await load(snippet(page, "A heartbeat", kind));
    await opened.evaluate((url) => {
      Object.assign(globalThis, { lost: 0 });
      const onLost = () => (globalThis as any).lost++;
      Object.assign(globalThis, { stop: (globalThis as any).Program.start(url, { everyMs: 50, withinMs: 2_000, onLost }) });
    }, `ws://127.0.0.1:${(silent.address() as { port: number }).port}`);
    while (pings < 5) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(await opened.evaluate(() => (globalThis as any).lost)).toBe(0);
    mute = true;
    await opened.waitForFunction(() => (globalThis as any).lost > 0);
    await opened.evaluate(() => (globalThis as any).stop());
    await opened.close();
    silent.close();
  });

  test("a live dashboard", async () => {
    const folder = mkdtempSync(join(root, "test/docs/tmp-"));
    const file = join(folder, "publisher.mjs");
    writeFileSync(file, snippet(page, "A live dashboard", "publisher"));
    const { start } = await import(pathToFileURL(file).href);
    let cpu = 10;
    await bob.publish("metrics", 8, { event: `${kind}-cpu` });
    const opened = await open(snippet(page, "A live dashboard", kind));
    const row = (name: string, text: string) =>
      opened.waitForFunction(([id, want]) => document.getElementById(id as string)?.textContent === want, [`${kind}-${name}`, `${kind}-${name}: ${text}`]);
    await row("cpu", "8 (n/a)");
    await bob.publish("metrics", 50, { event: `${kind}-disk` });
    await bob.publish("metrics", 75, { event: `${kind}-disk` });
    await row("disk", "75 (50.0 %)");
    const heard = next(bob.room("metrics"), "message", (m: { event?: string }) => m.event === `${kind}-idle`);
    const stop = start(server.url, () => ({ [`${kind}-cpu`]: cpu, [`${kind}-idle`]: 0 }), 20, { WebSocket, name: "Meter" });
    await heard;
    await row("idle", "0 (n/a)");
    await row("cpu", "10 (0.0 %)");
    cpu = 12;
    await row("cpu", "12 (0.0 %)");
    proxy.cut();
    cpu = 15;
    await row("cpu", "15 (0.0 %)");
    stop();
    proxy.cut();
    await bob.publish("metrics", 1, { event: `${kind}-away` });
    await row("away", "1 (n/a)");
    await opened.close();
    rmSync(folder, { recursive: true });
  });
});

test("what the page says of sizes is so", async () => {
  const { gzipSync } = await import("node:zlib");
  const size = gzipSync(readFileSync(`${root}/dist/esm/fallback.js`), { level: 9 }).length;
  expect(Math.round(size / 1024)).toBe(6);
});
