import { describe, expect, test, vi } from "vitest";
import type { Message } from "../../src/index.js";
import { remember } from "../../src/memory.js";
import { message, outcome } from "./fake.js";
import { greeting } from "./fakehttp.js";
import { at, clients, http, ok, passed, serveEach, server, start } from "./stateless.js";

serveEach();

describe("over polls", () => {
  test("the cursor of an answer begins the next poll, and a room that goes on where it stood is joined", async () => {
    const client = await start({ transports: ["poll"] });
    await passed(1);
    expect(http.newest("/app/poll").query.get("wait")).toBe("0");
    await http.newest("/app/poll").answer(200, { messages: [{ type: "welcome", ...greeting }], cursor: "" });
    const room = client.room("r", { since: at(2) });
    const heard: Message[] = [];
    room.on("message", (m) => heard.push(m));
    await passed(1);
    const messages = [message("r", at(3), 3), message("r", at(4), 4)];
    await http.newest("/app/poll").answer(200, { messages, cursor: `r=${at(4)}` });
    expect(await room.joined).toEqual({ pos: at(2), head: at(4), count: 2 });
    expect(heard.map((m) => m.data)).toEqual([3, 4]);
    const { query } = http.newest("/app/poll");
    expect([query.get("cursor"), query.get("wait")]).toEqual([`r=${at(4)}`, "25"]);
  });

  test("a room that the client was put out of, or not let into, is not asked for again", async () => {
    const client = await start({ transports: ["poll"] });
    await passed(1);
    await http.newest("/app/poll").answer(200, { messages: [{ type: "welcome", ...greeting }], cursor: "" });
    const rooms = ["a", "b", "c"].map((name) => client.room(name));
    await passed(1);
    const refusal = { type: "error", of: "join", room: "c", code: "forbidden", message: "", retryable: false };
    const joined = ["a", "b"].map((room) => ({ type: "ok", ...ok(room) }));
    await http.newest("/app/poll").answer(200, { messages: [...joined, refusal], cursor: `a=${at(0)},b=${at(0)},c=-` });
    expect(http.newest("/app/poll").query.getAll("room")).toEqual(["a", "b"]);
    const kicked = { type: "kicked", room: "b", reason: "spam", for: 60 };
    await http.newest("/app/poll").answer(200, { messages: [kicked], cursor: `a=${at(0)},b=${at(0)}` });
    expect(http.newest("/app/poll").query.getAll("room")).toEqual(["a"]);
    expect(rooms.map(({ stage }) => stage)).toEqual(["joined", "left", "left"]);
  });

  test("a poll says which answer was the last that came", async () => {
    const client = await start({ transports: ["poll"] });
    await passed(1);
    const numbers = () => ["n", "got"].map((name) => http.newest("/app/poll").query.get(name));
    expect(numbers()).toEqual(["1", null]);
    await http.newest("/app/poll").answer(200, { messages: [{ type: "welcome", ...greeting }], cursor: "" });
    expect(numbers()).toEqual(["2", "1"]);
    client.room("r");
    await passed(1);
    expect(numbers()).toEqual(["3", "1"]);
  });

  test("an answer that does not come is not waited for longer than it may take", async () => {
    const client = await start({ transports: ["poll"] });
    await passed(1);
    await http.newest("/app/poll").answer(200, { messages: [{ type: "welcome", ...greeting }], cursor: "" });
    await passed(28_755);
    // It is asked whether the server is there, by another poll.
    expect(http.of("/app/poll")).toHaveLength(3);
    await passed(10_000);
    expect(client.state).toBe("connecting");
  });
});

describe("the ways down and up", () => {
  test("the first WebSocket has 5 s, and a client that stays away at a worse way tries the better ones by itself", async () => {
    const client = await start();
    expect(server.sockets).toHaveLength(1);
    await passed(4_999);
    expect(client.status.failures).toBe(0);
    await passed(1);
    expect(client.status).toMatchObject({ state: "connecting", failures: 1 });
    await passed(250);
    await passed(1);
    await http.newest("/app/sse").event("welcome", greeting);
    expect(client.status).toMatchObject({ state: "open", transport: "sse" });
    // The first trial fails, the second comes later and succeeds.
    await keepAlive(59_000);
    expect(server.sockets).toHaveLength(1);
    await keepAlive(2_000);
    expect(server.sockets).toHaveLength(2);
    server.socket.drop();
    await keepAlive(119_000);
    expect(server.sockets).toHaveLength(2);
    await keepAlive(2_000);
    server.socket.welcome();
    await passed();
    expect(server.sockets[2]?.closedWith).toBe(1000);
    await passed(1);
    server.socket.welcome();
    expect(server.sockets).toHaveLength(4);
    expect(client.status).toMatchObject({ state: "open", transport: "websocket" });
    expect(http.newest("/app/sse").aborted).toBe(true);
  });

  async function keepAlive(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      await passed(1000);
      await http.newest("/app/sse").text(":\n\n");
    }
  }

  test("what is on its way is awaited before the change, and what waits goes the new way", async () => {
    vi.mocked(Math.random).mockReturnValue(0.5);
    let published: Promise<unknown> | undefined;
    const client = await start({ transports: ["websocket", "sse"] });
    server.socket.drop();
    await passed(250);
    await passed(1);
    await http.newest("/app/sse").event("welcome", greeting);
    const asked = client.request("sum", [1]);
    await passed();
    client.wake();
    await passed();
    // It waits for the answer to the first, and may be sent once only.
    const second = client.request("sum", [2]);
    server.socket.welcome();
    await passed(10);
    for (const [i, result] of [asked, second].entries()) {
      expect(client.status.transport).toBe("sse");
      expect(http.of("/app/send")).toHaveLength(i + 1);
      const { body, answer } = http.newest("/app/send");
      const late = i === 1 ? client.publish("r", "late") : undefined;
      await answer(200, { type: "ok", id: body.id, of: "sum", data: i });
      expect(await result).toBe(i);
      published = late;
    }
    await passed(1);
    server.socket.welcome();
    expect(client.status.transport).toBe("websocket");
    expect(server.socket.of("publish")).toMatchObject([{ data: "late" }]);
    expect(http.of("/app/send")).toHaveLength(2);
    server.socket.ok("publish", { pos: at(1), ts: 1 });
    expect(await published).toMatchObject({ pos: at(1) });
  });

  test("an anonymous client goes on as the same user where WebSockets are blocked from now on", async () => {
    const client = await start({ transports: ["websocket", "sse"] });
    server.socket.welcome({ user: "anon-1", token: "made" });
    expect(client.status.transport).toBe("websocket");
    server.socket.drop();
    for (let i = 0; i < 3; i++) {
      (await server.next()).drop();
    }
    while (http.all.length === 0) {
      await passed(100);
    }
    await http.newest("/app/sse").event("welcome", { ...greeting, user: "anon-1", token: "made anew" });
    expect(client.status).toMatchObject({ state: "open", transport: "sse" });
    expect(client.user).toBe("anon-1");
  });

  test("a WebSocket that may not even be made is a way that does not work", async () => {
    const client = await start({ transports: ["websocket", "sse"] });
    server.socket.drop();
    await passed(250);
    await passed(1);
    await http.newest("/app/sse").event("welcome", greeting);
    server.forbidden = true;
    client.wake();
    await keepAlive(70_000);
    expect(client.status).toMatchObject({ state: "open", transport: "sse" });
  });

  test("and so it is when the first one may not be made", async () => {
    server.forbidden = true;
    const client = await start();
    expect(client.status).toMatchObject({ state: "connecting", failures: 1 });
    await passed(250);
    await passed(1);
    await http.newest("/app/sse").event("welcome", greeting);
    expect(client.status).toMatchObject({ state: "open", transport: "sse" });
  });

  test("a first answer over HTTP is awaited for 5 s, and in each further round for twice as long, up to 15 s", async () => {
    await start({ transports: ["sse", "poll"], backoff: { delay: () => 0 } });
    for (const [path, ms] of [["/app/sse", 5_000], ["/app/poll", 5_000], ["/app/sse", 10_000], ["/app/poll", 10_000], ["/app/sse", 15_000]] as const) {
      await passed(1);
      await passed(1);
      const asked = http.newest(path);
      const since = Date.now();
      expect(asked.aborted).toBe(false);
      while (!asked.aborted) {
        await vi.advanceTimersToNextTimerAsync();
      }
      expect([path, Math.round((Date.now() - since) / 1000) * 1000]).toEqual([path, ms]);
    }
  });

  test("what is remembered is forgotten after an hour", async () => {
    remember("wireroom server.test", "poll");
    await start();
    await passed(1);
    expect([server.sockets.length, http.of("/app/poll").length]).toEqual([0, 1]);
    clients.pop()?.close();
    await passed(3_600_000);
    await start();
    expect(server.sockets).toHaveLength(1);
  });

  test("the memory of a tab is used by its next page, and one that may not be read is none", async () => {
    const stored = new Map([["wireroom server.test", `sse ${Date.now()}`]]);
    const storage = {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => void stored.set(key, value),
      removeItem: (key: string) => void stored.delete(key),
    };
    vi.stubGlobal("sessionStorage", Object.assign(Object.fromEntries(stored), storage));
    await start();
    await passed(1);
    expect([server.sockets.length, http.of("/app/sse").length]).toEqual([0, 1]);
    Object.defineProperty(globalThis, "sessionStorage", {
      configurable: true,
      get() {
        throw new DOMException("forbidden", "SecurityError");
      },
    });
    const client = await start();
    expect(server.sockets).toHaveLength(1);
    server.socket.welcome();
    expect(client.state).toBe("open");
  });

  test("what works is kept for the next page of the tab, until a better way does", async () => {
    const stored = new Map<string, string>();
    vi.stubGlobal("sessionStorage", {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => void stored.set(key, value),
      removeItem: (key: string) => void stored.delete(key),
    });
    const client = await start({ transports: ["websocket", "sse"] });
    server.socket.drop();
    await passed(250);
    await passed(1);
    await http.newest("/app/sse").event("welcome", greeting);
    expect([...stored]).toEqual([["wireroom server.test", `sse ${Date.now()}`]]);
    client.wake();
    await passed();
    server.socket.welcome();
    await passed(1);
    server.socket.welcome();
    expect(client.status.transport).toBe("websocket");
    expect([...stored]).toEqual([]);
  });

  test("a close code of the server says that it was heard: the way is kept", async () => {
    const client = await start({ token: async () => "t" });
    server.socket.open().drop(4503, "draining;retry=1");
    await passed(1000);
    expect(server.sockets).toHaveLength(2);
    expect(await outcome(client.ready)).toBe("pending");
    expect(http.all).toHaveLength(0);
  });
});

test("the polls of a client have numbers that rise, and a room that is refused is not asked for again", async () => {
  const client = await start({ transports: ["poll"] });
  await passed(1);
  const first = http.newest("/app/poll");
  await first.answer(200, { messages: [{ type: "welcome", ...greeting }, { type: "ok", ...ok("@alice") }], cursor: `@alice=${at(0)}` });
  const { joined } = client.room("@bob");
  await passed(1);
  const refusal = { type: "error", of: "join", room: "@bob", code: "forbidden", message: "forbidden", retryable: false };
  await http.newest("/app/poll").answer(200, { messages: [refusal], cursor: "@bob=-" });
  await expect(joined).rejects.toMatchObject({ code: "forbidden" });
  await http.newest("/app/poll").answer(204, undefined, { "Wireroom-Error": "forbidden" });
  await passed(1);
  expect(http.of("/app/poll").map(({ query }) => query.get("n"))).toEqual(http.of("/app/poll").map((_, i) => `${i + 1}`));
  expect(http.newest("/app/poll").query.getAll("room")).toEqual(["@"]);
  expect(client.state).toBe("open");
});
