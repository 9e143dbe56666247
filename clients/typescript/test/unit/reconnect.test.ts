import { describe, expect, test, vi } from "vitest";
import { type Client, type Status, connect } from "../../src/index.js";
import { outcome, settle } from "./fake.js";
import { kept, serveEach, server } from "./sockets.js";

serveEach();

describe("back-off", () => {
  test.each([0, 0.5, 0.999])("waits random(0, min(20 s, 0.5 s * 2^n)), at %d", async (random) => {
    vi.mocked(Math.random).mockReturnValue(random);
    const client = kept(await server.client());
    const waits: (number | undefined)[] = [];
    for (let n = 0; n < 8; n++) {
      server.socket.drop();
      waits.push(client.status.retryMs);
      await server.next();
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16000, 20000, 20000].map((most) => most * random));
  });

  test("makes the attempt at the time that it told, and not before", async () => {
    const client = kept(await server.client());
    server.socket.drop();
    expect(client.status).toMatchObject({ state: "connecting", failures: 1, retryMs: 250 });
    await vi.advanceTimersByTimeAsync(249);
    expect(server.sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.sockets).toHaveLength(2);
  });

  test.each([
    [4999, 4],
    [5000, 1],
  ])("after a connection of %d ms the failures in a row are %d", async (lasted, failures) => {
    const client = kept(await server.client());
    for (let i = 0; i < 3; i++) {
      server.socket.drop();
      await server.next();
    }
    server.socket.welcome();
    await vi.advanceTimersByTimeAsync(lasted);
    server.socket.drop();
    expect(client.status.failures).toBe(failures);
  });

  test("can be replaced", async () => {
    const client = kept(await server.client({ backoff: { delay: (n) => 1000 * (n + 1) } }));
    server.socket.drop();
    expect(client.status.retryMs).toBe(1000);
    await server.next();
    server.socket.drop();
    expect(client.status.retryMs).toBe(2000);
  });

  test("gives up after maxAttempts", async () => {
    const client = kept(await server.client({ maxAttempts: 2 }));
    server.socket.drop();
    expect(client.state).toBe("connecting");
    (await server.next()).drop();
    expect(client.status).toMatchObject({ state: "closed", error: { code: "disconnected", closeCode: 1006 } });
    await expect(client.ready).rejects.toBe(client.status.error);
  });
});

describe("a close with", () => {
  const again = [1001, 1005, 1006, 1011, 1012, 1013, 3000, 4000, 4300, 4500, 4503, 4504, 4508, 4529, 4599, 4600];
  const stop = [1000, 1002, 1003, 1007, 1008, 1009, 4400, 4401, 4403, 4499, 4501];
  test.each(again)("%d comes back", async (code) => {
    const client = kept(await server.open());
    server.socket.drop(code, "");
    expect(client.status).toMatchObject({ state: "connecting", error: { closeCode: code } });
    (await server.next()).welcome();
    expect(client.state).toBe("open");
  });

  test.each(stop)("%d stops a client whose token is fixed", async (code) => {
    const client = kept(await server.open({ token: "t" }));
    server.socket.drop(code, "forbidden");
    expect(client.status).toMatchObject({ state: "closed", error: { closeCode: code, code: "forbidden", retryable: false } });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.sockets).toHaveLength(1);
  });

  test("retry comes back at that time, which nothing makes earlier", async () => {
    const client = kept(await server.open());
    server.socket.drop(4529, "rate_limited;retry=60");
    expect(client.status).toMatchObject({ retryMs: 60_000, error: { code: "rate_limited" } });
    client.wake();
    await vi.advanceTimersByTimeAsync(59_999);
    expect(server.sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.sockets).toHaveLength(2);
  });

  test("an attempt that was made while the network was gone is made anew when it is back", async () => {
    const client = kept(await server.open());
    server.socket.drop();
    await server.next();
    await vi.advanceTimersByTimeAsync(2_000);
    client.wake();
    expect(server.sockets).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    client.wake();
    await settle();
    expect(server.sockets[1]?.closedWith).toBe(4000);
    expect(server.sockets).toHaveLength(3);
    server.socket.welcome();
    expect(client.status).toMatchObject({ state: "open", failures: 1 });
  });

  test("a retry of years is not believed", async () => {
    const client = kept(await server.open());
    server.socket.drop(4503, "draining;retry=1e12");
    expect(client.status.retryMs).toBe(600_000);
  });

  test("no word about when, after draining has told it", async () => {
    const client = kept(await server.open());
    server.socket.push({ type: "draining", reconnect_after: 3.5 }).drop();
    expect(client.status.retryMs).toBe(3500);
    (await server.next()).welcome();
    server.socket.drop();
    expect(client.status.retryMs).toBeLessThan(1000);
  });
});

describe("after close()", () => {
  test.each(["connecting", "open", "waiting"])("nothing connects any more: %s", async (when) => {
    const client = kept(await server.client());
    if (when === "open") {
      server.socket.welcome();
    } else if (when === "waiting") {
      server.socket.drop();
    }
    client.close();
    expect(client.status).toMatchObject({ state: "closed", error: { code: "closed" } });
    expect(server.socket.closedWith).toBe(when === "waiting" ? 4000 : 1000);
    server.socket.drop();
    client.wake();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.sockets).toHaveLength(1);
    expect(() => client.room("x")).toThrow("closed");
  });

  test("nothing connects any more, where it is closed while it is woken", async () => {
    const client = kept(await server.open());
    server.socket.drop();
    client.on("state", ({ retryMs }: Status) => {
      if (retryMs === undefined) {
        client.close();
      }
    });
    client.wake();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(client.state).toBe("closed");
    expect(server.sockets).toHaveLength(1);
  });

  test("a token that arrives late connects nothing", async () => {
    let give!: (token: string) => void;
    const client = kept(await server.client({ token: () => new Promise<string>((resolve) => (give = resolve)) }));
    client.close();
    give("late");
    await settle();
    expect(server.sockets).toHaveLength(0);
  });
});

describe("a token", () => {
  test.each([
    ["eyJh.eyJz.c2ln", "auth.eyJh.eyJz.c2ln"],
    ["two words", "auth.b64.dHdvIHdvcmRz"],
    ["ü?>", "auth.b64.w7w_Pg"],
    ["b64.x", "auth.b64.YjY0Lng"],
  ])("%s goes as a subprotocol, and not in the address", async (token, protocol) => {
    kept(await server.client({ token, name: "Ann" }));
    expect(server.socket.protocols).toEqual(["wireroom.v1", protocol]);
    expect(server.socket.url).toBe("ws://server.test/ws?heartbeat=json&name=Ann");
  });

  test("is fetched once and kept while the server takes it", async () => {
    const token = vi.fn(async () => "t");
    kept(await server.client({ token }));
    server.socket.welcome().drop();
    (await server.next()).welcome();
    expect(server.socket.protocols[1]).toBe("auth.t");
    expect(token).toHaveBeenCalledTimes(1);
  });

  test.each([4401, 4501])("that is refused with %d is replaced once, then the client stops", async (code) => {
    const token = vi.fn(async () => `t${token.mock.calls.length}`);
    const client = kept(await server.client({ token }));
    server.socket.open().drop(code, "token_expired");
    expect((await server.next()).protocols[1]).toBe("auth.t2");
    server.socket.open().drop(code, "token_expired");
    expect(client.status).toMatchObject({ state: "closed", error: { code: "token_expired", closeCode: code } });
    expect(token).toHaveBeenCalledTimes(2);
  });

  test("that was good between may be replaced again", async () => {
    const client = kept(await server.client({ token: async () => "t" }));
    for (let i = 0; i < 3; i++) {
      server.socket.welcome().drop(4501, "token_expired");
      expect(client.state).toBe("connecting");
      await server.next();
    }
  });

  test("that cannot be had is a failed attempt", async () => {
    const token = vi.fn(async () => "t").mockRejectedValueOnce(new Error("no network"));
    const client = kept(await server.client({ token }));
    expect(client.status).toMatchObject({ failures: 1, error: { cause: new Error("no network"), retryable: true } });
    (await server.next()).welcome();
    expect(client.state).toBe("open");
  });

  test("is renewed before it expires, on the connection that there is", async () => {
    const token = vi.fn(async () => `t${token.mock.calls.length}`);
    const client = kept(await server.client({ token }));
    server.socket.welcome().push({ type: "token_expiring", expires_in: 60 });
    await settle();
    expect(server.socket.of("auth")).toMatchObject([{ token: "t2" }]);
    server.socket.ok("auth", { user: "alice" });
    expect(client.state).toBe("open");
    server.socket.drop();
    expect((await server.next()).protocols[1]).toBe("auth.t2");
  });

  test("goes in a message after a handshake that failed, where a refusal can be seen", async () => {
    const client = kept(await server.client({ token: "bad" }));
    server.socket.drop();
    expect((await server.next()).protocols).toEqual(["wireroom.v1"]);
    server.socket.welcome({ user: "anon-1" });
    expect(client.state).toBe("connecting");
    expect(server.socket.of("auth")).toMatchObject([{ token: "bad" }]);
    server.socket.refuse("auth", "unauthorized");
    expect(client.status).toMatchObject({ state: "closed", error: { code: "unauthorized" } });
  });

  test("that the server takes in a message opens the client as that user", async () => {
    const client = kept(await server.client({ token: "good" }));
    server.socket.drop();
    (await server.next()).open().push({ type: "auth_required", timeout: 10 });
    expect(server.socket.of("auth")).toHaveLength(1);
    server.socket.ok("auth", { user: "bob" }).welcome({ user: "bob" });
    expect(client.user).toBe("bob");
    server.socket.drop();
    expect((await server.next()).protocols[1]).toBe("auth.good");
  });

  test("of an anonymous user brings the same user back, until the server refuses it", async () => {
    const client = kept(await server.client());
    server.socket.welcome({ user: "anon-1", token: "a1" }).drop();
    expect((await server.next()).protocols[1]).toBe("auth.a1");
    server.socket.open().drop(4401, "unauthorized");
    expect((await server.next()).protocols).toEqual(["wireroom.v1"]);
    server.socket.welcome({ user: "anon-2", token: "a2" });
    expect(client.user).toBe("anon-2");
  });

  test("that is missing where one is needed stops the client", async () => {
    const client = kept(await server.client());
    server.socket.open().push({ type: "auth_required", timeout: 10 });
    expect(client.status).toMatchObject({ state: "closed", error: { code: "unauthorized" } });
  });
});

test("each change of the state is told, in order", async () => {
  const told: [string, number | undefined][] = [];
  const client = kept(await server.client());
  client.on("state", (s: Status) => told.push([s.state, s.retryMs]));
  server.socket.welcome().drop();
  (await server.next()).welcome();
  client.close();
  expect(told).toEqual([
    ["open", undefined],
    ["connecting", 250],
    ["open", undefined],
    ["closed", undefined],
  ]);
});

test("another version of the protocol is not spoken", async () => {
  const client = kept(await server.client());
  server.socket.welcome({ protocol: 2 });
  expect(client.status).toMatchObject({ state: "closed", error: { code: "unsupported" } });
});

test("frames that cannot be read are left aside", async () => {
  const client = kept(await server.open());
  const pushed: unknown[] = [];
  client.on("push", (e) => pushed.push(e));
  for (const data of ["{", "7", "null", '{"type":7}', new ArrayBuffer(1), new Uint8Array([0, 9, 123]).buffer]) {
    server.socket.onmessage?.({ data });
  }
  server.socket.push({ type: "news", data: 1 });
  expect(pushed).toEqual([{ type: "news", data: 1 }]);
  expect(client.state).toBe("open");
});

test("an error that belongs to no request is told", async () => {
  const client = kept(await server.open());
  const errors: unknown[] = [];
  client.on("error", (e) => errors.push(e));
  server.socket.push({ type: "error", code: "bad_request", message: "no", retryable: false });
  expect(errors).toMatchObject([{ code: "bad_request", message: "bad_request: no" }]);
});

test("requests wait for the connection, and a lost one leaves their outcome open", async () => {
  const client = kept(await server.client({ inbox: false }));
  const early = client.request("sum", [1, 2]);
  server.socket.welcome().ok("sum", { data: 3 });
  expect(await early).toBe(3);
  const lost = client.request("sum", [1]);
  const page = client.room("r").history();
  server.socket.drop();
  expect(await outcome(lost)).toMatchObject({ code: "disconnected", uncertain: true });
  (await server.next()).welcome();
  expect(server.socket.of("sum")).toHaveLength(0);
  server.socket.ok("history", { messages: [], pos: "aaaaaaaa.0.00000000", more: false });
  expect(await page).toMatchObject({ messages: [], more: false });
});

test("a request is given up after requestTimeoutMs", async () => {
  const client = kept(await server.client({ requestTimeoutMs: 2000 }));
  const result = expect(client.request("sum")).rejects.toMatchObject({ code: "gave_up", uncertain: false });
  await vi.advanceTimersByTimeAsync(2000);
  await result;
});

test("a request that was given up is not sent again", async () => {
  const client = kept(await server.open({ requestTimeoutMs: 2000 }));
  const result = expect(client.room("r").history()).rejects.toMatchObject({ code: "gave_up", uncertain: true });
  await vi.advanceTimersByTimeAsync(2000);
  await result;
  server.socket.drop();
  expect((await server.next()).welcome().of("history")).toHaveLength(0);
});

test("addresses and options are checked at once", () => {
  expect(() => kept(connectTo("nonsense"))).toThrow(TypeError);
  expect(() => kept(connectTo("ftp://server.test/ws"))).toThrow(TypeError);
  expect(() => kept(connectTo("ws://server.test/ws", { retryForMs: 240_001 }))).toThrow(RangeError);
});

test("a WebSocket that may not be made is a failed attempt, at first and later", async () => {
  server.forbidden = true;
  const client = kept(await server.client({ token: async () => "t" }));
  const refused = { state: "connecting", error: { code: "unsupported", retryable: true, cause: { name: "SecurityError" } } };
  expect(client.status).toMatchObject({ ...refused, failures: 1, retryMs: 250 });
  server.forbidden = false;
  // It may have been the token that was no subprotocol, so that goes in a message now.
  (await server.next()).open().ok("auth", { user: "alice" }).welcome();
  expect(await outcome(client.ready)).toMatchObject({ user: "alice" });
  server.forbidden = true;
  server.socket.drop();
  await vi.advanceTimersByTimeAsync(500);
  expect(client.status).toMatchObject(refused);
  server.forbidden = false;
  (await server.next()).open().ok("auth", { user: "alice" }).welcome();
  expect(client.state).toBe("open");
});

test("a client that is closed by the WebSocket that it makes, which may not be made, is closed", async () => {
  class Unkind {
    constructor() {
      client.close();
      throw new Error("not here");
    }
  }
  const client: Client = kept(connectTo("ws://server.test/ws", { WebSocket: Unkind }));
  await settle();
  expect(client.state).toBe("closed");
});

test("of attempts that may not be made, too, there are at most maxAttempts", async () => {
  server.forbidden = true;
  const client = kept(await server.client({ maxAttempts: 2 }));
  await vi.advanceTimersByTimeAsync(250);
  expect(client.status).toMatchObject({ state: "closed", failures: 2, error: { code: "unsupported" } });
});

test("the WebSocket that is given is used, whatever there is besides", async () => {
  vi.stubGlobal("WebSocket", class {
    constructor() {
      throw new Error("not this one");
    }
  });
  const client = kept(await server.open());
  expect(client.state).toBe("open");
});

test("without a WebSocket, and with nothing else allowed, the client is closed", async () => {
  vi.stubGlobal("WebSocket", undefined);
  const client = kept(connectTo("ws://server.test/ws", { WebSocket: undefined }));
  await expect(client.ready).rejects.toMatchObject({ code: "unsupported" });
});

function connectTo(url: string, options = {}): Client {
  return connect(url, { WebSocket: server.WebSocket, transports: ["websocket"], ...options });
}
