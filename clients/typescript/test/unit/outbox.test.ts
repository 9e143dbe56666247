import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Client, ConnectOptions } from "../../src/index.js";
import { FakeServer, type FakeSocket, outcome, settle } from "./fake.js";
import { Model } from "./model.js";

let server: FakeServer;
let client: Client;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  server = new FakeServer();
});
afterEach(() => {
  client.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function open(options: ConnectOptions = {}): Promise<FakeSocket> {
  client = await server.open(options);
  return server.socket;
}

/** Publishes so many messages, and returns what each promise has come to when it has come to something. */
function publish(count: number, room = "r"): unknown[] {
  const results: unknown[] = Array.from({ length: count }, () => "pending");
  for (let i = 0; i < count; i++) {
    client.publish(room, i).then(
      (published) => (results[i] = published.pos),
      (error) => (results[i] = `${error.code}${error.uncertain ? "?" : ""}`),
    );
  }
  return results;
}

const numbers = (socket: FakeSocket) => socket.of("publish").map((p) => [p.data, p.seq]);
const answer = (socket: FakeSocket, n: number, fields: object) =>
  socket.push({ type: "ok", id: socket.of("publish")[n].id, of: "publish", room: "r", ts: 1, ...fields });
const refuse = (socket: FakeSocket, n: number, code: string, fields: object = {}) =>
  socket.push({ type: "error", id: socket.of("publish")[n].id, code, message: code, retryable: true, ...fields });

describe("publishes", () => {
  test("are numbered by room, and carry 128 random bits", async () => {
    const socket = await open();
    publish(2, "a");
    publish(1, "b");
    const [first, second, third] = socket.of("publish");
    expect([first.seq, second.seq, third.seq]).toEqual([1, 2, 1]);
    expect(first.producer).toMatch(/^[0-9a-f]{32}$/);
    expect(second.producer).toBe(first.producer);
    expect(third.producer).not.toBe(first.producer);
  });

  test("are encoded at once, options and all", async () => {
    client = await server.client();
    const data = { n: 1 };
    void client.publish("r", data, { event: "e", echo: false }).catch(() => {});
    data.n = 2;
    server.socket.welcome();
    expect(server.socket.of("publish")).toMatchObject([{ room: "r", data: { n: 1 }, event: "e", echo: false }]);
  });

  test("of bytes go in binary frames: length, envelope, payload", async () => {
    client = await server.client({ inbox: false });
    const bytes = new Uint8Array([1, 2, 3]);
    void client.publish("r", bytes).catch(() => {});
    bytes[0] = 9;
    const socket = server.socket.welcome();
    const frame: Uint8Array = socket.sent.at(-1);
    const length = (frame[0] as number) * 256 + (frame[1] as number);
    const envelope = JSON.parse(new TextDecoder().decode(frame.subarray(2, 2 + length)));
    expect(envelope).toMatchObject({ type: "publish", room: "r", seq: 1 });
    expect(envelope.data).toBeUndefined();
    expect([...frame.subarray(2 + length)]).toEqual([1, 2, 3]);
  });

  test("that are no JSON are refused at once", async () => {
    await open();
    const loop: unknown[] = [];
    loop.push(loop);
    for (const data of [undefined, () => 1, loop, 1n]) {
      await expect(client.publish("r", data)).rejects.toMatchObject({ code: "invalid_data" });
    }
  });

  test("are sent again after a lost connection, in order and under their numbers", async () => {
    const first = await open();
    const results = publish(3);
    answer(first, 0, { pos: "p0" });
    first.drop();
    publish(1);
    const second = (await server.next()).welcome();
    expect(numbers(second)).toEqual([
      [1, 2],
      [2, 3],
      [0, 4],
    ]);
    expect(second.of("publish")[0].producer).toBe(first.of("publish")[0].producer);
    answer(second, 0, { pos: "p1", duplicate: true });
    await settle();
    expect(results).toEqual(["p0", "p1", "pending"]);
  });

  test("behind one that was refused for now wait, and follow it in order", async () => {
    const socket = await open();
    publish(3);
    refuse(socket, 0, "rate_limited", { retry_after: 2 });
    refuse(socket, 1, "out_of_order");
    await vi.advanceTimersByTimeAsync(2000);
    expect(numbers(socket)).toHaveLength(3);
    refuse(socket, 2, "out_of_order");
    expect(numbers(socket).slice(3)).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
  });

  test("wait as long as retry_after says", async () => {
    const socket = await open();
    publish(1);
    refuse(socket, 0, "rate_limited", { retry_after: 2 });
    await vi.advanceTimersByTimeAsync(1999);
    expect(numbers(socket)).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(numbers(socket)).toHaveLength(2);
  });

  test("take a new producer when the server does not know theirs", async () => {
    const first = await open();
    publish(2);
    answer(first, 0, { pos: "p0" });
    first.drop();
    const second = (await server.next()).welcome();
    expect(numbers(second)).toEqual([[1, 2]]);
    refuse(second, 0, "out_of_order");
    await settle();
    const [, again] = second.of("publish");
    expect([again.data, again.seq]).toEqual([1, 1]);
    expect(again.producer).not.toBe(first.of("publish")[0].producer);
  });

  test("keep their number while it is not known whether they were stored", async () => {
    const socket = await open();
    publish(2);
    refuse(socket, 0, "timeout");
    answer(socket, 1, { pos: "p1" });
    await vi.advanceTimersByTimeAsync(200);
    const [first, , again] = socket.of("publish");
    expect([again.data, again.seq, again.producer]).toEqual([0, 1, first.producer]);
  });

  test("after one that was refused for good begin a new series", async () => {
    const socket = await open();
    const results = publish(3);
    refuse(socket, 0, "invalid_data", { retryable: false });
    refuse(socket, 1, "out_of_order");
    refuse(socket, 2, "out_of_order");
    await settle();
    expect(results).toEqual(["invalid_data", "pending", "pending"]);
    const all = socket.of("publish");
    expect(numbers(socket).slice(3)).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(all[3].producer).not.toBe(all[0].producer);
  });

  test("that are too long for the server are not sent", async () => {
    const socket = await open();
    const long = client.publish("r", "x".repeat(65536));
    publish(1);
    expect(await outcome(long)).toMatchObject({ code: "too_large" });
    expect(numbers(socket)).toEqual([[0, 1]]);
  });

  test("of bytes whose envelope does not fit in a binary frame are not sent", async () => {
    client = await server.client({ inbox: false });
    server.socket.welcome({ max_message: 1 << 24 });
    const long = client.publish("r", new Uint8Array(1), { event: "x".repeat(65536) });
    expect(await outcome(long)).toMatchObject({ code: "too_large" });
    expect(server.socket.sent).toEqual([]);
  });

  test("of two series are not on their way together", async () => {
    const socket = await open();
    publish(3);
    refuse(socket, 0, "timeout");
    refuse(socket, 1, "invalid_data", { retryable: false });
    refuse(socket, 2, "out_of_order");
    await vi.advanceTimersByTimeAsync(200);
    expect(numbers(socket).slice(3)).toEqual([[0, 1]]);
    answer(socket, 3, { pos: "p0", duplicate: true });
    expect(numbers(socket).slice(4)).toEqual([[2, 1]]);
    expect(socket.of("publish")[4].producer).not.toBe(socket.of("publish")[3].producer);
  });

  test("with a key go one at a time, without a number", async () => {
    const socket = await open();
    publish(1);
    void client.publish("r", "k", { key: "k1" }).catch(() => {});
    publish(1);
    expect(numbers(socket)).toEqual([[0, 1]]);
    answer(socket, 0, { pos: "p0" });
    expect(numbers(socket)).toEqual([
      [0, 1],
      ["k", undefined],
    ]);
    expect(socket.of("publish")[1]).toMatchObject({ key: "k1" });
    answer(socket, 1, { pos: "p1" });
    expect(numbers(socket)[2]).toEqual([0, 2]);
  });

  test("with a key are sent again under it, after a refusal that may pass and after a lost connection", async () => {
    const first = await open();
    const published = client.publish("r", "k", { key: "k1" });
    refuse(first, 0, "timeout");
    await vi.advanceTimersByTimeAsync(200);
    first.drop();
    const second = (await server.next()).welcome();
    const written = [...first.of("publish"), ...second.of("publish")];
    expect(written.map(({ key, data, seq }) => [key, data, seq])).toEqual(Array(3).fill(["k1", "k", undefined]));
    answer(second, 0, { pos: "p0", duplicate: true });
    expect(await published).toMatchObject({ pos: "p0" });
  });

  test("are at most 64 on their way at first", async () => {
    const socket = await open();
    publish(100);
    expect(socket.of("publish")).toHaveLength(64);
    answer(socket, 0, { pos: "p0" });
    expect(socket.of("publish")).toHaveLength(66);
  });

  test("are fewer on their way after the server had enough, until the next connection", async () => {
    const socket = await open();
    publish(100);
    refuse(socket, 0, "rate_limited");
    for (let i = 1; i < 64; i++) {
      refuse(socket, i, "out_of_order");
    }
    await vi.advanceTimersByTimeAsync(1000);
    expect(socket.of("publish")).toHaveLength(64 + 32);
    socket.drop();
    expect((await server.next()).welcome().of("publish")).toHaveLength(64);
  });

  test("of one room do not wait for another room", async () => {
    const socket = await open();
    publish(1, "a");
    refuse(socket, 0, "engine_unavailable", { retry_after: 60 });
    publish(1, "b");
    expect(socket.of("publish").at(-1).room).toBe("b");
  });
});

describe("a publish settles within retryForMs", () => {
  test("when it was never sent", async () => {
    client = await server.client({ backoff: { delay: () => 1e9 } });
    server.socket.drop();
    const results = publish(1);
    await vi.advanceTimersByTimeAsync(119_999);
    expect(results).toEqual(["pending"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(results).toEqual(["gave_up"]);
  });

  test("when it may have been stored", async () => {
    const socket = await open({ retryForMs: 1000, backoff: { delay: () => 1e9 } });
    const results = publish(1);
    socket.drop();
    await vi.advanceTimersByTimeAsync(1000);
    expect(results).toEqual(["gave_up?"]);
  });

  test("when there is a connection and no answer", async () => {
    const socket = await open({ retryForMs: 10_000 });
    const results = publish(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(socket.readyState).toBe(1);
    expect(results).toEqual(["gave_up?"]);
  });

  test("and tells that it may have been stored, if the server said so", async () => {
    const socket = await open();
    const results = publish(1);
    refuse(socket, 0, "timeout");
    client.close();
    await settle();
    expect(results).toEqual(["closed?"]);
  });

  test("when it waits for a place", async () => {
    client = await server.client({ maxOutbox: 1, whenFull: "wait", retryForMs: 1000 });
    const results = publish(2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(results).toEqual(["gave_up", "gave_up"]);
  });

  test("and is not sent afterwards, even if the machine slept", async () => {
    const socket = await open({ retryForMs: 60_000 });
    const results = publish(1);
    socket.drop();
    vi.setSystemTime(Date.now() + 600_000);
    (await server.next()).welcome();
    await settle();
    expect(results).toEqual(["gave_up?"]);
    expect(server.socket.of("publish")).toHaveLength(0);
  });

  test("when the client is closed", async () => {
    const socket = await open();
    const results = publish(2);
    refuse(socket, 0, "rate_limited", { retry_after: 9 });
    client.close();
    await settle();
    expect(results).toEqual(["closed", "closed?"]);
  });
});

describe("the outbox", () => {
  test("refuses what is more than maxOutbox", async () => {
    client = await server.client({ maxOutbox: 2 });
    const results = publish(3);
    await settle();
    expect(results).toEqual(["pending", "pending", "outbox_full"]);
    expect(client.outboxSize).toBe(2);
  });

  test("refuses what is more than maxOutboxBytes", async () => {
    client = await server.client({ maxOutboxBytes: 2000 });
    const pending = client.publish("r", "x".repeat(1000));
    expect(await outcome(client.publish("r", "ü".repeat(500)))).toMatchObject({ code: "outbox_full", retryable: true });
    expect(await outcome(pending)).toBe("pending");
    pending.catch(() => {});
  });

  test("lets wait what is more, in order, if it is told so", async () => {
    client = await server.client({ maxOutbox: 1, whenFull: "wait", inbox: false });
    const results = publish(3);
    const socket = server.socket.welcome();
    for (let i = 0; i < 3; i++) {
      expect(socket.of("publish")).toHaveLength(i + 1);
      answer(socket, i, { pos: `p${i}` });
    }
    await settle();
    expect(results).toEqual(["p0", "p1", "p2"]);
    expect(numbers(socket).map(([data]) => data)).toEqual([0, 1, 2]);
  });

  test("never lets wait what can never fit", async () => {
    client = await server.client({ maxOutboxBytes: 1000, whenFull: "wait" });
    expect(await outcome(client.publish("r", "x".repeat(1000)))).toMatchObject({ code: "outbox_full" });
  });

  test("drain and flush tell when there is place, and when nothing is left", async () => {
    client = await server.client({ maxOutbox: 4, inbox: false });
    publish(4);
    const [drained, flushed] = [client.drain(), client.flush()];
    const socket = server.socket.welcome();
    answer(socket, 0, { pos: "p0" });
    expect(await outcome(drained)).toBe("pending");
    answer(socket, 1, { pos: "p1" });
    expect(await outcome(drained)).toBeUndefined();
    answer(socket, 2, { pos: "p2" });
    expect(await outcome(flushed)).toBe("pending");
    answer(socket, 3, { pos: "p3" });
    expect(await outcome(flushed)).toBeUndefined();
  });

  test("writes nothing between the high and the low water mark of the socket", async () => {
    const socket = await open({ highWaterBytes: 1000, lowWaterBytes: 100 });
    publish(1);
    socket.bufferedAmount = 1001;
    publish(1);
    const drained = client.drain();
    expect(socket.of("publish")).toHaveLength(1);
    expect(client.bufferedAmount).toBe(1001);
    socket.bufferedAmount = 101;
    await vi.advanceTimersByTimeAsync(100);
    expect(socket.of("publish")).toHaveLength(1);
    expect(await outcome(drained)).toBe("pending");
    socket.bufferedAmount = 100;
    await vi.advanceTimersByTimeAsync(100);
    expect(socket.of("publish")).toHaveLength(2);
    expect(await outcome(drained)).toBeUndefined();
  });

  test("drains with the socket, even if nothing waits", async () => {
    const socket = await open();
    socket.bufferedAmount = 2 << 20;
    const drained = client.drain();
    expect(await outcome(drained)).toBe("pending");
    socket.bufferedAmount = 0;
    await vi.advanceTimersByTimeAsync(20);
    expect(await outcome(drained)).toBeUndefined();
  });
});

describe("an ephemeral message", () => {
  const typing = () => client.publish("r", "typing", { ephemeral: true });

  test("has no number and resolves without a position", async () => {
    const socket = await open();
    const sent = typing();
    expect(socket.of("publish")).toMatchObject([{ ephemeral: true, data: "typing" }]);
    expect(socket.of("publish")[0].producer).toBeUndefined();
    answer(socket, 0, {});
    expect(await sent).toEqual({ pos: undefined, ts: 1 });
    expect(client.outboxSize).toBe(0);
  });

  test("is refused at once without a connection", async () => {
    client = await server.client();
    expect(await outcome(typing())).toMatchObject({ code: "disconnected", uncertain: false });
  });

  test("is not sent again", async () => {
    const socket = await open();
    const sent = typing();
    socket.drop();
    expect(await outcome(sent)).toMatchObject({ code: "disconnected", uncertain: true });
    expect(client.outboxSize).toBe(0);
    expect((await server.next()).welcome().of("publish")).toHaveLength(0);
  });

  test("is refused while the socket is full", async () => {
    const socket = await open();
    socket.bufferedAmount = 2 << 20;
    expect(await outcome(typing())).toMatchObject({ code: "outbox_full" });
  });
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])("nothing is stored twice or out of order, whatever happens (%d)", async (seed) => {
  let state = seed;
  const random = () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
  vi.mocked(Math.random).mockImplementation(random);
  const model = new Model(random);
  server.answer = (e, socket) => e.type === "publish" && model.take(e, socket);
  client = await server.open({ maxOutbox: 50, whenFull: "wait", backoff: { baseMs: 10, maxMs: 50 } });
  const failed: unknown[] = [];
  let settled = 0;
  const all = 500;
  for (let i = 0; i < all; i++) {
    client.publish("r", i).then(
      () => settled++,
      (error) => {
        settled++;
        failed.push(error);
      },
    );
  }
  while (settled < all) {
    if (server.socket.readyState === 0) {
      server.socket.welcome();
    }
    await vi.advanceTimersToNextTimerAsync();
  }
  expect(server.sockets.length).toBeGreaterThan(3);
  expect(failed).toEqual([]);
  expect(model.stored).toEqual(Array.from({ length: all }, (_, i) => i));
});
