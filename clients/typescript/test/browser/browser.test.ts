import { once } from "node:events";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import type { Client, Room } from "../../src/index.js";
import { type Hostile, startHostile } from "../e2e/hostile.js";
import { connectTo, next } from "../e2e/kit.js";
import { type Proxy, startProxy } from "../e2e/proxy.js";
import { type Server, startServer } from "../e2e/server.js";
import { type Site, startSite } from "./site.js";

/** What the pages have as globals. */
declare const Wireroom: typeof import("../../src/index.js");
declare const client: Client;

let site: Site;
let server: Server;
let proxy: Proxy;
let bob: Client;
let hostile: Hostile;

beforeAll(async () => {
  site = await startSite();
  server = await startServer({ args: [`--origins=${site.origin}`] });
  proxy = await startProxy(server.port);
  hostile = await startHostile(server.port, "refuse");
  bob = connectTo(server.url, { name: "Bob" });
});
afterAll(async () => {
  bob?.close();
  await site?.close();
  await proxy?.close();
  await hostile?.close();
  await server?.stop();
});

test("a page with the script chats, and misses nothing over a lost connection", async () => {
  const page = await site.open("/script.html");
  await page.evaluate(async (url) => {
    const client = Wireroom.connect(url, { name: "Page", backoff: { maxMs: 100 } });
    const room = client.room("page");
    const heard: unknown[] = [];
    room.on("message", (m) => heard.push(m.data instanceof Uint8Array ? [...m.data] : m.data));
    Object.assign(globalThis, { client, room, heard });
    await room.joined;
  }, `ws://127.0.0.1:${proxy.port}/ws`);
  const room = bob.room("page");
  await room.publish("from bob");
  await page.evaluate(() => (globalThis as any).room.publish(new Uint8Array([1, 2, 255])));
  proxy.cut();
  await room.publish("while away");
  await page.waitForFunction(() => (globalThis as any).heard.length === 3);
  expect(await page.evaluate(() => (globalThis as any).heard)).toEqual(["from bob", [1, 2, 255], "while away"]);
  expect(await page.evaluate(() => client.state)).toBe("open");
  await page.close();
});

test("a page sees that its token was refused, and stops", async () => {
  const page = await site.open("/script.html");
  const error = await page.evaluate(async (url) => {
    const client = Wireroom.connect(url, { token: "no token" });
    return client.ready.then(
      () => "welcome",
      (e) => [e instanceof Wireroom.WireroomError, e.code, e.closeCode, client.state],
    );
  }, server.url);
  expect(error).toEqual([true, "unauthorized", 4401, "closed"]);
  await page.close();
});

describe("where WebSockets are blocked", () => {
  /** Chats in a page through the hostile proxy; returns how it is carried. */
  async function chat(page: Page, room: string): Promise<unknown> {
    await page.waitForFunction(() => "Wireroom" in globalThis);
    const heard = page.evaluate(
      async ([url, name]) => {
        const client = Wireroom.connect(url as string, { name: "Page", connectTimeoutMs: 3000, backoff: { maxMs: 100 } });
        const room = client.room(name as string, { presence: true });
        await room.joined;
        const heard = new Promise((resolve) => {
          const all: unknown[] = [];
          room.on("message", (m) => all.push(m.data instanceof Uint8Array ? [...m.data] : m.data) === 3 && resolve(all));
        });
        await room.publish(new Uint8Array([1, 2, 255]));
        await room.publish({ from: "page", present: room.count });
        const result = [client.status.transport, await heard];
        client.close();
        return result;
      },
      [hostile.url, room],
    );
    const there = bob.room(room);
    await next(there, "message", (m: { data: any }) => m.data.from === "page");
    await there.publish("hello, page");
    return heard;
  }

  test.each([
    ["script", "pass"],
    ["esm", "pass"],
    ["script", "buffer"],
  ] as const)("a page with the %s chats all the same where streams %s", async (kind, streams) => {
    hostile.streams = streams;
    const page = await site.open(`/${kind}.html`);
    const name = `blocked-${kind}-${streams}`;
    const transport = streams === "pass" ? "sse" : "poll";
    await bob.room(name).joined;
    expect(await chat(page, name)).toEqual([transport, [[1, 2, 255], { from: "page", present: 2 }, "hello, page"]]);
    // The next page of the tab does not try again what does not work here.
    await page.reload();
    hostile.asked.length = 0;
    expect(await chat(page, name)).toEqual([transport, expect.anything()]);
    expect(hostile.asked).not.toContain("/ws");
    await page.close();
  });

  test("a worker chats, too", async () => {
    hostile.streams = "pass";
    const page = await site.open("/script.html");
    await bob.room("work").joined;
    const heard = page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const worker = new Worker("/worker.js");
          worker.onmessage = ({ data }) => (data === "joined" ? worker.postMessage("from the worker") : resolve(data));
          worker.postMessage(url);
        }),
      hostile.url,
    );
    expect(await heard).toBe("from the worker");
    await page.close();
  });
});

test("a page that the network comes back to connects at once", async () => {
  const page = await site.open("/script.html");
  const state = await page.evaluate(async (url) => {
    const client = Wireroom.connect(url, { backoff: { delay: () => 1e6 } });
    await client.ready;
    Object.assign(globalThis, { client });
    return client.state;
  }, `ws://127.0.0.1:${proxy.port}/ws`);
  expect(state).toBe("open");
  proxy.cut();
  await page.waitForFunction(() => client.state === "connecting");
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.waitForFunction(() => client.state === "open");
  await page.close();
});

test("a worker is a client as well", async () => {
  const page = await site.open("/script.html");
  const heard = await page.evaluate(
    (url) =>
      new Promise((resolve) => {
        const worker = new Worker("/worker.js");
        const all: unknown[] = [];
        worker.onmessage = ({ data }) => {
          if (data === "joined") {
            worker.postMessage("hello from the page");
          } else if (all.push(data) === 1) {
            resolve(all);
          }
        };
        worker.postMessage(url);
      }),
    server.url,
  );
  expect(heard).toEqual(["hello from the page"]);
  await page.close();
});

describe("the hooks of React", () => {
  const text = (page: Page, selector: string) => page.locator(selector).first().textContent();
  const items = (page: Page) => page.locator(".chat").first().locator("li").allTextContents();
  let room: Room<string>;

  async function open(): Promise<Page> {
    const page = await site.open(`/react.html?server=${encodeURIComponent(`ws://127.0.0.1:${proxy.port}/ws`)}`);
    await page.waitForFunction(() => document.querySelector(".stage")?.textContent === "joined");
    return page;
  }

  test("show messages, presence and the connection, and leave with the last component", async () => {
    for (const data of ["zero", "one", "two"]) {
      await bob.publish("one", data);
    }
    room = bob.room("one", { presence: true });
    await room.joined;
    const joined = next(room, "presence", () => room.count === 2);
    const page = await open();
    await joined;
    expect(await text(page, "#state")).toBe("open");
    await page.waitForFunction(() => document.querySelector(".count")?.textContent === "2");
    expect((await text(page, ".members"))?.split(",").sort()).toEqual(["Bob", "React"]);
    expect(await items(page)).toEqual(["one", "two"]);
    const carol = connectTo(server.url, { name: "Carol" });
    await carol.room("one", { presence: true }).joined;
    await page.waitForFunction(() => document.querySelector(".count")?.textContent === "3");
    expect((await text(page, ".members"))?.split(",").sort()).toEqual(["Bob", "Carol", "React"]);
    carol.close();
    await page.waitForFunction(() => document.querySelector(".count")?.textContent === "2");

    await page.locator(".say").first().click();
    await page.waitForFunction(() => document.querySelectorAll("li")[2]?.textContent === "said");
    await room.publish("four");
    await page.waitForFunction(() => document.querySelectorAll("li")[2]?.textContent === "four");
    await page.waitForFunction(() => document.querySelectorAll(".chat:nth-of-type(2) li")[2]?.textContent === "four");
    expect(await items(page)).toEqual(["two", "said", "four"]);
    expect(await page.locator(".chat").nth(1).locator("li").allTextContents()).toEqual(["two", "said", "four"]);

    await page.locator("#less").click();
    await room.publish("five");
    await page.waitForFunction(() => document.querySelectorAll("li")[2]?.textContent === "five");
    expect(room.count).toBe(2);
    const left = next(room, "presence", () => room.count === 1);
    await page.locator("#less").click();
    await left;
    await page.close();
  });

  test("follow the name of the room, and a lost connection", async () => {
    const page = await open();
    const states = page.evaluate(
      () =>
        new Promise<string[]>((resolve) => {
          const seen: string[] = [];
          const state = document.getElementById("state") as HTMLElement;
          new MutationObserver(() => seen.push(state.textContent as string) === 2 && resolve(seen)).observe(state, {
            characterData: true,
            childList: true,
            subtree: true,
          });
        }),
    );
    await page.locator("#other").click();
    await page.waitForFunction(() => document.querySelector(".stage")?.textContent === "joined");
    await page.waitForFunction(() => document.querySelectorAll("li").length === 0);
    await bob.publish("two", "in the other room");
    await page.waitForFunction(() => document.querySelector("li")?.textContent === "in the other room");
    proxy.cut();
    expect(await states).toEqual(["connecting", "open"]);
    await bob.publish("two", "afterwards");
    await page.waitForFunction(() => document.querySelectorAll(".chat:first-of-type li")[1]?.textContent === "afterwards");
    await page.close();
  });

  test("go on where they were when a part of the page is shown again, together with others that came meanwhile", async () => {
    const tab = (page: Page) => page.locator("#tab li").allTextContents();
    const shown = (page: Page, last: string) =>
      page.waitForFunction((last) => [...document.querySelectorAll("#tab li")].at(-1)?.textContent === last, last);
    const room = bob.room("tab", { presence: true });
    await room.publish("before");
    await room.joined;
    const page = await open();
    await shown(page, "before");
    const gone = next(room, "presence", () => room.count === 1);
    await page.locator("#hide").click();
    await gone;
    await room.publish("unseen");
    await page.locator("#hide").click();
    await shown(page, "unseen");
    expect(await tab(page)).toEqual(["before", "unseen"]);

    const goneAgain = next(room, "presence", () => room.count === 1);
    await page.locator("#hide").click();
    await goneAgain;
    await page.locator("#twin").click();
    await page.waitForFunction(() => document.querySelectorAll("main > .chat:last-child li").length === 2);
    await page.locator("#hide").click();
    await room.publish("both");
    await shown(page, "both");
    expect(await tab(page)).toEqual(["before", "unseen", "both"]);
    expect(await page.locator("main > .chat").last().locator("li").allTextContents()).toEqual(["before", "unseen", "both"]);
    await page.locator("#twin").click();
    await room.publish("alone");
    await shown(page, "alone");
    expect(await tab(page)).toEqual(["unseen", "both", "alone"]);
    expect(room.count).toBe(2);
    await page.close();
  });
});

test("the WebSocket that reconnects behaves like the browser's own, and comes back", async () => {
  const echo = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "chat" });
  echo.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
  await once(echo, "listening");
  const path = await startProxy((echo.address() as { port: number }).port);
  const page = await site.open("/script.html");
  await page.addScriptTag({ url: "/module.js", type: "module" });
  await page.waitForFunction(() => "Reconnecting" in globalThis);
  const url = `ws://127.0.0.1:${path.port}/echo`;
  const session = async ({ address, own }: { address: string; own: boolean }) => {
    const Class = own ? WebSocket : ((globalThis as any).Reconnecting as typeof WebSocket);
    const seen: unknown[] = [];
    const socket = new Class(address, ["chat"]);
    socket.binaryType = "arraybuffer";
    seen.push(socket.readyState, socket.url, socket instanceof EventTarget);
    await new Promise((resolve) => {
      socket.onopen = resolve;
    });
    seen.push(socket.readyState, socket.protocol);
    for (const data of ["text", new Uint8Array([1, 2]), new Blob(["blob"])]) {
      const heard = new Promise<MessageEvent>((resolve) => {
        socket.onmessage = resolve;
      });
      socket.send(data);
      const { data: back } = await heard;
      seen.push(typeof back === "string" ? back : [...new Uint8Array(back)]);
    }
    for (const code of [1001, 2000]) {
      try {
        socket.close(code);
      } catch (error) {
        seen.push((error as Error).name);
      }
    }
    const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
    socket.close(3000, "done");
    seen.push(socket.readyState);
    const { code, reason, wasClean } = await closed;
    return [...seen, code, reason, wasClean, socket.readyState];
  };
  const expected = await page.evaluate(session, { address: url, own: true });
  expect(expected).toContain("InvalidAccessError");
  expect(await page.evaluate(session, { address: url, own: false })).toEqual(expected);

  await page.evaluate(async (address) => {
    const Class = (globalThis as any).Reconnecting;
    const socket = new Class(address, ["chat"], { backoff: { maxMs: 50 } });
    const told: string[] = [];
    for (const type of ["open", "reconnecting", "close"]) {
      socket.addEventListener(type, () => {
        told.push(type);
        if (type === "reconnecting") {
          socket.send("queued");
        }
      });
    }
    socket.addEventListener("message", (event: MessageEvent) => told.push(event.data));
    Object.assign(globalThis, { told });
  }, url);
  await page.waitForFunction(() => (globalThis as any).told.length === 1);
  path.cut();
  await page.waitForFunction(() => (globalThis as any).told.length === 4);
  expect(await page.evaluate(() => (globalThis as any).told)).toEqual(["open", "reconnecting", "open", "queued"]);
  await page.close();
  await path.close();
  echo.close();
});
