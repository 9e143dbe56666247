import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import ReconnectingWebSocket, { type ReconnectOptions, ReconnectingEvent } from "../../src/websocket.js";
import { FakeServer } from "./fake.js";

let server: FakeServer;
let socket: ReconnectingWebSocket;
let told: any[];

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  server = new FakeServer();
  told = [];
});
afterEach(() => {
  socket.close();
  server.socket?.drop();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function make(options: ReconnectOptions = {}, url: any = "ws://server.test/echo"): ReconnectingWebSocket {
  socket = new ReconnectingWebSocket(url, ["chat"], { WebSocket: server.WebSocket, ...options });
  for (const type of ["open", "message", "error", "close", "reconnecting"] as const) {
    socket.addEventListener(type, (event: any) => {
      told.push(type === "message" ? event.data : [type, event.code].filter((part) => part !== undefined).join(" "));
    });
  }
  return socket;
}

/** Hands a frame to the client. */
const hear = (data: unknown) => server.socket.onmessage?.({ data });

test("is a WebSocket: states, constants, events, handlers", () => {
  make();
  expect([socket.CONNECTING, socket.OPEN, socket.CLOSING, socket.CLOSED]).toEqual([0, 1, 2, 3]);
  expect([
    ReconnectingWebSocket.CONNECTING,
    ReconnectingWebSocket.OPEN,
    ReconnectingWebSocket.CLOSING,
    ReconnectingWebSocket.CLOSED,
  ]).toEqual([0, 1, 2, 3]);
  expect([socket.readyState, socket.url, socket.binaryType]).toEqual([0, "ws://server.test/echo", "blob"]);
  expect(server.socket.protocols).toEqual(["chat"]);
  const handled: any[] = [];
  socket.onopen = () => handled.push("open");
  socket.onmessage = (event) => handled.push(event.data);
  socket.onclose = function (event) {
    handled.push(this === socket, event.code, event.reason, event.wasClean);
  };
  server.socket.open();
  expect(socket.readyState).toBe(1);
  hear("hello");
  socket.send('"out"');
  expect(server.socket.sent).toHaveLength(1);
  socket.close(3001, "bye");
  expect(socket.readyState).toBe(2);
  server.socket.drop(3001, "bye");
  expect(socket.readyState).toBe(3);
  expect(handled).toEqual(["open", "hello", true, 3001, "bye", true]);
  expect(told).toEqual(["open", "hello", "close 3001"]);
});

test("passes binaryType on to every connection", async () => {
  make();
  socket.binaryType = "arraybuffer";
  expect(server.socket.binaryType).toBe("arraybuffer");
  server.socket.drop();
  expect((await server.next()).binaryType).toBe("arraybuffer");
});

test("comes back after a lost connection, and says close once, at the end", async () => {
  make();
  server.socket.open().drop(1006);
  expect(socket.readyState).toBe(0);
  (await server.next()).open();
  expect(socket.readyState).toBe(1);
  socket.close();
  server.socket.drop(1005);
  expect(told).toEqual(["open", "reconnecting 1006", "open", "close 1005"]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.sockets).toHaveLength(2);
  expect(vi.getTimerCount()).toBe(0);
});

test("what every connection says is told to listeners and handlers, the first as well as the next", async () => {
  make();
  const handled: string[] = [];
  socket.onerror = () => handled.push("error");
  socket.onmessage = ({ data, origin }) => handled.push(`${data} of ${origin}`);
  for (const round of ["first", "second"]) {
    server.socket.onerror?.({});
    server.socket.open().onmessage?.({ data: round, origin: "ws://server.test" });
    server.socket.drop();
    await server.next();
  }
  expect(handled).toEqual(["error", "first of ws://server.test", "error", "second of ws://server.test"]);
  const round = (data: string) => ["error", "open", data, "reconnecting 1006"];
  expect(told).toEqual([...round("first"), ...round("second")]);
});

test("a listener that is removed hears nothing more, and one that wants to hear once hears once", () => {
  make();
  const heard: string[] = [];
  const listener = ({ data }: MessageEvent) => heard.push(data);
  socket.addEventListener("message", listener);
  socket.addEventListener("message", ({ data }) => heard.push(`once ${data}`), { once: true });
  server.socket.open();
  hear("one");
  socket.removeEventListener("message", listener);
  hear("two");
  expect(heard).toEqual(["one", "once one"]);
});

test("tells how long it waits, and waits so long", async () => {
  make();
  const events: ReconnectingEvent[] = [];
  socket.onreconnecting = (event) => events.push(event);
  server.socket.drop(1011, "oops");
  expect(events).toMatchObject([{ code: 1011, reason: "oops", failures: 1, delayMs: 250 }]);
  await vi.advanceTimersByTimeAsync(249);
  expect(server.sockets).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(server.sockets).toHaveLength(2);
});

test.each([1000, 1002, 1003, 1007, 1008, 1009, 4400, 4401, 4403])("%d from the server is the end", async (code) => {
  make();
  server.socket.open().drop(code);
  expect(socket.readyState).toBe(3);
  expect(told).toEqual(["open", `close ${code}`]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.sockets).toHaveLength(1);
});

test("asks shouldReconnect instead, if there is one", async () => {
  make({ shouldReconnect: (code) => code === 1008 });
  server.socket.open().drop(1008);
  expect(socket.readyState).toBe(0);
  (await server.next()).drop(1006);
  expect(socket.readyState).toBe(3);
});

test("gives up after maxAttempts", async () => {
  make({ maxAttempts: 2 });
  server.socket.drop();
  (await server.next()).drop();
  expect(told).toEqual(["reconnecting 1006", "close 1006"]);
});

test("gives an attempt up after connectTimeoutMs", async () => {
  make({ connectTimeoutMs: 2000 });
  await vi.advanceTimersByTimeAsync(2000);
  expect(told).toEqual(["reconnecting 1006"]);
  expect(server.socket.readyState).toBe(2);
});

describe("what is sent without a connection", () => {
  test("goes out after the listeners of open, in order, as it was", () => {
    make();
    const bytes = new Uint8Array([1, 2]);
    socket.send("first");
    socket.send(bytes);
    bytes[0] = 9;
    expect(socket.bufferedAmount).toBe(7);
    const frames: unknown[] = [];
    server.socket.send = (data) => frames.push(data);
    socket.onopen = () => socket.send("greeting");
    server.socket.open();
    expect(frames).toEqual(["greeting", "first", new Uint8Array([1, 2])]);
    expect(socket.bufferedAmount).toBe(0);
  });

  test("is bounded by number and by size", () => {
    make({ maxQueue: 2, maxQueueBytes: 5 });
    socket.send("ü");
    expect(() => socket.send("four")).toThrowError(expect.objectContaining({ name: "QuotaExceededError" }));
    socket.send("x");
    expect(() => socket.send("")).toThrowError(expect.objectContaining({ name: "QuotaExceededError" }));
  });

  test("waits as well when the connection ends before it says so", async () => {
    make();
    server.socket.open().readyState = 2;
    socket.send('"late"');
    server.socket.drop();
    (await server.next()).open();
    expect(server.socket.sent).toEqual(["late"]);
  });

  test("is dropped after close, without a word", () => {
    make();
    socket.close();
    socket.send("x");
    expect(socket.bufferedAmount).toBe(0);
  });
});

describe("close", () => {
  test.each([0, 999, 1001, 1006, 2999, 5000])("refuses the code %d", (code) => {
    make();
    expect(() => socket.close(code)).toThrowError(expect.objectContaining({ name: "InvalidAccessError" }));
    expect(socket.readyState).toBe(0);
  });

  test("refuses a reason above 123 bytes", () => {
    make();
    expect(() => socket.close(1000, "ü".repeat(62))).toThrowError(expect.objectContaining({ name: "SyntaxError" }));
  });

  test("while waiting for the next attempt ends it", async () => {
    make();
    server.socket.drop();
    socket.close();
    expect(socket.readyState).toBe(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told).toEqual(["reconnecting 1006", "close 1006"]);
    expect(server.sockets).toHaveLength(1);
  });

  test("does not wait for ever for the server's answer", async () => {
    make();
    server.socket.open();
    socket.close(1000);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(told).toEqual(["open", "close 1006"]);
  });
});

describe("an address that is a function", () => {
  test("is asked before each attempt", async () => {
    let n = 0;
    make({}, async () => `ws://server.test/${++n}`);
    await vi.advanceTimersByTimeAsync(0);
    expect(socket.url).toBe("ws://server.test/1");
    server.socket.drop();
    expect((await server.next()).url).toBe("ws://server.test/2");
  });

  test("and fails is a failed attempt", async () => {
    const address = vi.fn(async () => "ws://server.test/").mockRejectedValueOnce(new Error("no"));
    make({}, address);
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(["error", "reconnecting 1006"]);
    await server.next();
    expect(server.sockets).toHaveLength(1);
  });

  test("and names one that is none is a failed attempt", async () => {
    const address = vi.fn(async () => "ws://server.test/").mockResolvedValueOnce("nonsense");
    make({ WebSocket: pickyAbout(server.WebSocket) }, address);
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(["error", "reconnecting 1006"]);
    (await server.next()).open();
    expect(socket.readyState).toBe(1);
  });

  test("and answers after close connects nothing", async () => {
    make({}, async () => "ws://server.test/");
    socket.close();
    await vi.advanceTimersByTimeAsync(0);
    expect(server.sockets).toHaveLength(0);
    expect(socket.readyState).toBe(3);
  });
});

/** Returns a class that throws for what is no address, as the browser's own does. */
function pickyAbout(WebSocket: FakeServer["WebSocket"]): FakeServer["WebSocket"] {
  return class extends WebSocket {
    constructor(url: string, protocols?: string | string[]) {
      super(String(new URL(url)), protocols);
    }
  };
}

test("what the constructor of WebSocket throws later, of an address that was good, is a failed attempt", async () => {
  make();
  server.socket.open();
  server.forbidden = true;
  server.socket.drop();
  await vi.advanceTimersByTimeAsync(250);
  expect(told).toEqual(["open", "reconnecting 1006", "error", "reconnecting 1006"]);
  server.forbidden = false;
  (await server.next()).open();
  expect(socket.readyState).toBe(1);
});

test("what the constructor of WebSocket throws is thrown", () => {
  make();
  const WebSocket = class {
    constructor() {
      throw new DOMException("bad address", "SyntaxError");
    }
  };
  expect(() => new ReconnectingWebSocket("x", [], { WebSocket })).toThrow("bad address");
});

describe("when the network is back", () => {
  const window = new EventTarget();
  const online = () => window.dispatchEvent(new Event("online"));

  beforeEach(() => {
    vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
    vi.stubGlobal("removeEventListener", window.removeEventListener.bind(window));
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  test("the next attempt is made at once, unless the server told when", async () => {
    make({ backoff: { delay: () => 1e9 } });
    server.socket.drop();
    online();
    await vi.advanceTimersByTimeAsync(0);
    expect(server.sockets).toHaveLength(2);
    server.socket.drop(4503, "draining;retry=60");
    online();
    await vi.advanceTimersByTimeAsync(59_999);
    expect(server.sockets).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.sockets).toHaveLength(3);
  });

  test("a server that should answer a heartbeat is asked for one", () => {
    make({ heartbeat: { message: '{"type":"ping"}' } });
    server.socket.open();
    online();
    expect(server.socket.sent).toEqual([{ type: "ping" }]);
  });

  test("nothing is done after close", async () => {
    make();
    server.socket.open();
    socket.close();
    server.socket.drop(1000);
    online();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.sockets).toHaveLength(1);
  });
});

describe("a heartbeat", () => {
  const heartbeat = { message: '{"type":"ping"}', everyMs: 30_000, withinMs: 5_000 };

  test("asks a silent server, and gives the connection up without an answer", async () => {
    make({ heartbeat });
    server.socket.open();
    await vi.advanceTimersByTimeAsync(29_999);
    expect(server.socket.sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.socket.sent).toEqual([{ type: "ping" }]);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(socket.readyState).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(told).toEqual(["open", "reconnecting 1006"]);
  });

  test("begins however late it is when the connection has opened", async () => {
    make({ heartbeat });
    const time = vi.spyOn(Date, "now");
    let ms = Date.now();
    time.mockImplementation(() => ms++);
    server.socket.open();
    time.mockRestore();
    await vi.advanceTimersByTimeAsync(30_100);
    expect(server.socket.sent).toEqual([{ type: "ping" }]);
  });

  test("is content with anything, and asks again later", async () => {
    make({ heartbeat });
    server.socket.open();
    await vi.advanceTimersByTimeAsync(31_000);
    hear("anything");
    await vi.advanceTimersByTimeAsync(29_000);
    expect(server.socket.sent).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.socket.sent).toHaveLength(2);
  });

  test("does not ask while there is traffic", async () => {
    make({ heartbeat });
    server.socket.open();
    for (let i = 0; i < 10; i++) {
      await vi.advanceTimersByTimeAsync(20_000);
      hear("tick");
    }
    expect(server.socket.sent).toEqual([]);
  });
});
