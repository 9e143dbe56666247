import { beforeEach, describe, expect, test, vi } from "vitest";
import { settle } from "./fake.js";
import { kept, serveEach, server } from "./sockets.js";

serveEach();

describe("a silent server", () => {
  test("is asked 28.75 s after it was heard and given up 10 s later", async () => {
    const client = kept(await server.open());
    const { socket } = server;
    await vi.advanceTimersByTimeAsync(28_749);
    expect(socket.of("ping")).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(socket.of("ping")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(client.state).toBe("open");
    await vi.advanceTimersByTimeAsync(1);
    expect(client.status).toMatchObject({ state: "connecting", error: { closeCode: 1006 } });
    expect(socket.closedWith).toBe(4000);
  });

  test("is not asked while anything at all is heard, and pings are answered", async () => {
    const client = kept(await server.open());
    for (let i = 0; i < 10; i++) {
      await vi.advanceTimersByTimeAsync(28_000);
      server.socket.push({ type: "ping" });
    }
    expect(server.socket.of("ping")).toHaveLength(0);
    expect(server.socket.of("pong")).toHaveLength(10);
    expect(client.state).toBe("open");
  });

  test("that answers is kept", async () => {
    const client = kept(await server.open());
    await vi.advanceTimersByTimeAsync(29_000);
    server.socket.push({ type: "pong", server_ts: 1 });
    await vi.advanceTimersByTimeAsync(28_000);
    expect(client.state).toBe("open");
    expect(server.socket.of("ping")).toHaveLength(1);
  });

  test("that owes an answer is asked after 15 s", async () => {
    const client = kept(await server.open());
    client.request("sum", [1]).catch(() => {});
    await vi.advanceTimersByTimeAsync(15_000);
    expect(server.socket.of("ping")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(9_999);
    expect(client.state).toBe("open");
    await vi.advanceTimersByTimeAsync(1);
    expect(client.state).toBe("connecting");
  });

  test("that does not let the client in within connectTimeoutMs is tried again", async () => {
    const client = kept(await server.client({ connectTimeoutMs: 3000 }));
    server.socket.open();
    await vi.advanceTimersByTimeAsync(3000);
    expect(client.status).toMatchObject({ state: "connecting", failures: 1 });
    (await server.next()).welcome();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(client.state).toBe("open");
  });

  test("is noticed although the clock was set back", async () => {
    const client = kept(await server.open());
    vi.setSystemTime(Date.now() - 3_600_000);
    await vi.advanceTimersByTimeAsync(50_000);
    expect(client.state).toBe("connecting");
  });
});

describe("waking up", () => {
  class Page extends EventTarget {
    visibilityState = "hidden";
  }
  const window = new EventTarget();
  let page: Page;

  beforeEach(() => {
    page = new Page();
    vi.stubGlobal("document", page);
    vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
    vi.stubGlobal("removeEventListener", window.removeEventListener.bind(window));
  });

  const signals: [string, () => Promise<void>][] = [
    ["the network is back", async () => void window.dispatchEvent(new Event("online"))],
    [
      "the page is looked at",
      async () => {
        page.visibilityState = "visible";
        page.dispatchEvent(new Event("visibilitychange"));
      },
    ],
    [
      "the clock has jumped",
      async () => {
        vi.setSystemTime(Date.now() + 3_600_000);
        await vi.advanceTimersByTimeAsync(5_000);
      },
    ],
  ];

  test.each(signals)("%s: the next attempt is made at once", async (_, signal) => {
    kept(await server.client({ backoff: { delay: () => 1e9 } }));
    server.socket.drop();
    await signal();
    await settle();
    expect(server.sockets).toHaveLength(2);
  });

  test.each(signals)("%s: an open connection is asked for a sign of life, and lost without one", async (_, signal) => {
    const client = kept(await server.open());
    await signal();
    expect(server.socket.of("ping")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(client.state).toBe("connecting");
  });

  test("a page that is hidden wakes nobody", async () => {
    kept(await server.open());
    page.dispatchEvent(new Event("visibilitychange"));
    expect(server.socket.of("ping")).toHaveLength(0);
  });

  test("a closed client does not listen any more", async () => {
    const removed = [vi.spyOn(globalThis, "removeEventListener"), vi.spyOn(page, "removeEventListener")];
    const client = kept(await server.open());
    client.close();
    expect(removed.map((spy) => spy.mock.calls.map(([type]) => type))).toEqual([["online"], ["visibilitychange"]]);
  });
});
