import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Client, type Gap, type Message, type Room, WireroomError } from "../../src/index.js";
import { FakeServer, joinReply, message, outcome, settle } from "./fake.js";

let server: FakeServer;
let client: Client;

const at = (offset: number, epoch = "aaaaaaaa") => `${epoch}.${offset}.00000000`;

beforeEach(async () => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  server = new FakeServer();
  client = await server.open();
});
afterEach(() => {
  client.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** Joins a room, and notes what it tells. */
function joined(name = "r", options = {}, fields: object = {}): { room: Room; told: any[] } {
  const room = client.room(name, options);
  const told: any[] = [];
  for (const type of ["message", "gap", "joined", "left"] as const) {
    room.on(type, (event: any) => told.push(type === "message" ? event.data : [type, event?.reason ?? event?.code]));
  }
  server.socket.push(joinReply(server.socket.of("join").at(-1), at(0), fields));
  return { room, told };
}

/** Loses the connection and lets the client in again. */
async function reconnect(): Promise<void> {
  server.socket.drop();
  (await server.next()).welcome();
}

describe("a lost connection", () => {
  test("resumes every room after what it had, and not after what was published", async () => {
    const { room } = joined("a");
    joined("b");
    void room.publish("x");
    server.socket.push(message("a", at(1), 1)).ok("publish", { pos: at(2), ts: 1 });
    await reconnect();
    expect(server.socket.of("join")).toMatchObject([
      { room: "a", since: at(1) },
      { room: "b", since: at(0) },
    ]);
    expect(server.socket.of("join")[0].last).toBeUndefined();
  });

  test("joins with the options before the first join was answered, and with the position afterwards", async () => {
    client.room("r", { last: 5, presence: true, state: { mood: "fine" } });
    await reconnect();
    expect(server.socket.of("join")).toMatchObject([{ last: 5, presence: true, state: { mood: "fine" } }]);
    server.socket.push(joinReply(server.socket.of("join")[0], at(7)));
    await reconnect();
    expect(server.socket.of("join")).toMatchObject([{ since: at(7), presence: true, state: { mood: "fine" } }]);
    expect(server.socket.of("join")[0].last).toBeUndefined();
  });

  test("is told as a gap where the server cannot recover", async () => {
    const { room, told } = joined();
    server.socket.push(message("r", at(1), 1));
    await reconnect();
    server.socket.ok("join", { pos: at(9), head: at(9), count: 0, recovered: false, reason: "expired" }, "r");
    server.socket.push(message("r", at(10), 10));
    expect(told).toEqual([["joined", undefined], 1, ["joined", undefined], ["gap", "expired"], 10]);
    expect(room.position).toBe(at(10));
  });

  test("does not go unnoticed by a room", async () => {
    const { room } = joined();
    server.socket.drop();
    expect(room.stage).toBe("joining");
  });

  test("keeps the newest state", async () => {
    const { room } = joined("r", { state: 1 });
    const set = room.setState(2);
    server.socket.ok("state");
    await set;
    const refused = expect(room.setState(3)).rejects.toMatchObject({ code: "too_large" });
    server.socket.refuse("state", "too_large");
    await refused;
    await reconnect();
    expect(server.socket.of("join")).toMatchObject([{ state: 2 }]);
  });
});

describe("messages", () => {
  test("come once each", () => {
    const { told } = joined();
    for (const offset of [1, 2, 2, 1, 3]) {
      server.socket.push(message("r", at(offset), offset));
    }
    expect(told.slice(1)).toEqual([1, 2, 3]);
  });

  test("with offsets of many digits are compared as numbers", () => {
    const { told } = joined();
    for (const offset of [9, 10, 99, 100]) {
      server.socket.push(message("r", at(offset), offset));
    }
    expect(told.slice(1)).toEqual([9, 10, 99, 100]);
  });

  test("without a position do not move the room", () => {
    const { room, told } = joined();
    server.socket.push(message("r", undefined, "typing")).push(message("r", undefined, "typing"));
    expect(told.slice(1)).toEqual(["typing", "typing"]);
    expect(room.position).toBe(at(0));
  });

  test("of another epoch are told as a gap before them", () => {
    const { told } = joined();
    server.socket.push(message("r", at(5, "bbbbbbbb"), 5));
    expect(told.slice(1)).toEqual([["gap", "epoch"], 5]);
  });

  test("after a gap go on from its position", () => {
    const { room, told } = joined();
    server.socket.push({ type: "gap", room: "r", reason: "lagged", pos: at(50) });
    server.socket.push(message("r", at(50), 50)).push(message("r", at(51), 51));
    expect(told.slice(1)).toEqual([["gap", "lagged"], 51]);
    expect(room.position).toBe(at(51));
  });

  test("of a room that was left, or is not joined yet, are dropped", async () => {
    const { room, told } = joined();
    void room.leave();
    server.socket.push(message("r", at(1), 1));
    client.room("r").on("message", () => expect.unreachable());
    server.socket.push(message("r", at(2), 2));
    expect(told.slice(1)).toEqual([["left", undefined]]);
  });

  test("that came with bytes in text have them as their data", () => {
    const { told } = joined();
    server.socket.push({ ...message("r", at(1), undefined), bytes: "iVBORw==" });
    expect(told[1]).toEqual(new Uint8Array([0x89, 0x50, 0x4e, 0x47]));
  });

  test("reach every listener, even if one throws", async () => {
    const { room, told } = joined();
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const uncaught = new Promise((resolve) => process.once("uncaughtException", resolve));
    room.on("message", () => {
      throw new Error("listener");
    });
    const last: number[] = [];
    room.on("message", (m) => last.push(m.data));
    server.socket.push(message("r", at(1), 1));
    expect(last).toEqual([1]);
    expect(told.slice(1)).toEqual([1]);
    expect(await uncaught).toEqual(new Error("listener"));
    for (const listener of others) {
      process.on("uncaughtException", listener);
    }
  });
});

describe("a join", () => {
  test("that is refused for now is asked again after retry_after", async () => {
    const room = client.room("r");
    server.socket.refuse("join", "rate_limited", { retryable: true, retry_after: 2 });
    expect(await outcome(room.joined)).toBe("pending");
    await vi.advanceTimersByTimeAsync(1999);
    expect(server.socket.of("join")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(server.socket.of("join")).toHaveLength(2);
    server.socket.push(joinReply(server.socket.of("join")[1], at(3)));
    expect(await room.joined).toEqual({ pos: at(3), head: at(3), count: 0 });
  });

  test("that is refused for good ends the room", async () => {
    const { room, told } = joined();
    await reconnect();
    server.socket.refuse("join", "forbidden");
    expect(told.slice(1)).toEqual([["left", "forbidden"]]);
    expect(room).toMatchObject({ stage: "left", error: { code: "forbidden" } });
    await reconnect();
    expect(server.socket.of("join")).toHaveLength(0);
  });

  test("of a room that the client is in returns that room", () => {
    const { room } = joined();
    expect(client.room("r", { presence: true })).toBe(room);
    expect(server.socket.of("join")).toHaveLength(1);
  });

  test("with since and last together is refused at once", () => {
    expect(() => client.room("r", { since: at(1), last: 3 })).toThrow(TypeError);
  });

  test("whose answer comes after the room was left means nothing", async () => {
    const room = client.room("r");
    void room.leave();
    server.socket.push(joinReply(server.socket.of("join")[0]));
    expect(room.stage).toBe("left");
    await expect(room.joined).rejects.toMatchObject({ code: "left" });
  });
});

test("a kick ends the room with its reason", () => {
  const { room, told } = joined();
  server.socket.push({ type: "kicked", room: "r", reason: "spam", for: 60 });
  expect(told.slice(1)).toEqual([["left", "kicked"]]);
  expect(room.error).toMatchObject({ code: "kicked", message: "kicked for 60 s: spam", retryAfterMs: 60_000 });
});

test("leave resolves when the server knows, and at once without a connection", async () => {
  const { room } = joined("a");
  const other = joined("b").room;
  const leaving = room.leave();
  expect(await outcome(leaving)).toBe("pending");
  server.socket.ok("leave");
  expect(await outcome(leaving)).toBeUndefined();
  server.socket.drop();
  expect(await outcome(other.leave())).toBeUndefined();
});

describe("an iteration", () => {
  test("yields messages and gaps, waits for more, and ends when the room is left", async () => {
    const { room } = joined();
    const reading = room[Symbol.asyncIterator]();
    server.socket.push(message("r", at(1), 1)).push({ type: "gap", room: "r", reason: "lagged", pos: at(5) });
    expect((await reading.next()).value).toMatchObject({ type: "message", data: 1 });
    expect((await reading.next()).value).toMatchObject({ type: "gap", reason: "lagged" });
    const waiting = reading.next();
    expect(await outcome(waiting)).toBe("pending");
    server.socket.push(message("r", at(6), 6));
    expect((await waiting).value).toMatchObject({ data: 6 });
    server.socket.push(message("r", at(7), 7));
    void room.leave();
    expect((await reading.next()).value).toMatchObject({ data: 7 });
    expect(await reading.next()).toEqual({ done: true, value: undefined });
    expect(await reading.next()).toEqual({ done: true, value: undefined });
  });

  test("throws what has ended the room, after what came before", async () => {
    const { room } = joined();
    const reading = room[Symbol.asyncIterator]();
    server.socket.push(message("r", at(1), 1)).push({ type: "kicked", room: "r", reason: "spam", for: 60 });
    expect((await reading.next()).done).toBe(false);
    await expect(reading.next()).rejects.toBeInstanceOf(WireroomError);
    expect((await reading.next()).done).toBe(true);
    await expect(room[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "kicked" });
  });

  test("that is broken off listens no more", async () => {
    const { room } = joined();
    server.socket.push(message("r", at(1), 1));
    setTimeout(() => server.socket.push(message("r", at(2), 2)), 1);
    const reading = (async () => {
      for await (const m of room) {
        return m;
      }
    })();
    await vi.advanceTimersByTimeAsync(1);
    expect(await reading).toMatchObject({ data: 2 });
    server.socket.push(message("r", at(3), 3));
    expect(room.position).toBe(at(3));
  });

  /** Publishes as the server, and answers what a reader asks of the history. */
  function log(name: string, kept = Infinity): { push(count: number): void; requests(): number } {
    const all: any[] = [];
    let requests = 0;
    server.answer = (envelope, socket) => {
      if (envelope.type !== "history") {
        return;
      }
      requests++;
      const since = Number(envelope.since.split(".")[1]);
      const reply = { type: "ok", id: envelope.id, of: "history", room: name };
      if (since < all.length - kept) {
        socket.push({ ...reply, recovered: false, reason: "expired", pos: at(all.length) });
        return;
      }
      const messages = all.slice(since, since + envelope.limit);
      const more = since + messages.length < all.length;
      socket.push({ ...reply, messages, pos: at(since + messages.length), more });
    };
    return {
      push(count) {
        for (let i = 0; i < count; i++) {
          const m = message(name, at(all.length + 1), all.length + 1);
          all.push(m);
          server.socket.push(m);
        }
      },
      requests: () => requests,
    };
  }

  test("that is slow reads what it dropped from the history, in order and once", async () => {
    const { room } = joined();
    const { push, requests } = log("r");
    const reading = room[Symbol.asyncIterator]();
    push(3000);
    expect(requests()).toBe(0);
    for (let i = 1; i <= 3000; i++) {
      if (i % 700 === 0) {
        push(1);
      }
      expect((await reading.next()).value).toMatchObject({ data: i });
    }
    expect(requests()).toBeGreaterThan(3);
    push(3);
    for (let i = 3001; i <= 3007; i++) {
      expect((await reading.next()).value).toMatchObject({ data: i });
    }
    const asked = requests();
    push(1);
    expect((await reading.next()).value).toMatchObject({ data: 3008 });
    expect(requests()).toBe(asked);
  });

  test("that is too slow for the history is told so", async () => {
    const { room } = joined();
    const { push } = log("r", 100);
    const reading = room[Symbol.asyncIterator]();
    push(3000);
    const seen: (Message | Gap)[] = [];
    while (seen.at(-1)?.type !== "gap") {
      seen.push((await reading.next()).value);
    }
    expect(seen).toHaveLength(1025);
    expect(seen[1024]).toMatchObject({ type: "gap", room: "r", reason: "expired", pos: at(3000) });
    push(1);
    expect((await reading.next()).value).toMatchObject({ data: 3001 });
  });

  test("that is slow waits for a history that does not have yet what was seen live", async () => {
    const { room } = joined();
    let kept = 1490;
    server.answer = (e, socket) => {
      if (e.type === "history") {
        const since = Number(e.since.split(".")[1]);
        const count = Math.min(kept - since, e.limit);
        const messages = Array.from({ length: count }, (_, i) => message("r", at(since + i + 1), since + i + 1));
        const pos = at(since + count);
        socket.push({ type: "ok", id: e.id, of: "history", room: "r", messages, pos, more: since + count < kept });
      }
    };
    const reading = room[Symbol.asyncIterator]();
    for (let i = 1; i <= 1500; i++) {
      server.socket.push(message("r", at(i), i));
    }
    for (let i = 1; i <= 1490; i++) {
      expect((await reading.next()).value).toMatchObject({ data: i });
    }
    const next = reading.next();
    expect(await outcome(next)).toBe("pending");
    const asked = server.socket.of("history").length;
    await vi.advanceTimersByTimeAsync(900);
    expect(server.socket.of("history")).toHaveLength(asked);
    kept = 1500;
    await vi.advanceTimersByTimeAsync(1000);
    expect((await next).value).toMatchObject({ data: 1491 });
  });

  /** Has a reader fall behind at 1,024 of 1,100 messages, read those, and ask for the rest, which nobody has answered yet. */
  async function behind(answer?: typeof server.answer) {
    const { room } = joined();
    const reading = room[Symbol.asyncIterator]();
    for (let i = 1; i <= 1100; i++) {
      server.socket.push(message("r", at(i), i));
    }
    for (let i = 1; i <= 1024; i++) {
      expect((await reading.next()).value).toMatchObject({ data: i });
    }
    server.answer = answer;
    const next = reading.next();
    await settle();
    return { room, reading, next, asked: () => server.socket.of("history") };
  }

  test.each([
    ["diverged", at(1105), at(1106)],
    ["epoch", at(5, "bbbbbbbb"), at(6, "bbbbbbbb")],
  ])("is told that the log became another one (%s) while it asked the one before", async (reason, pos, newer) => {
    const { reading, next, asked } = await behind();
    const messages = Array.from({ length: 86 }, (_, i) => message("r", at(1025 + i), 1025 + i));
    server.socket.push({ type: "gap", room: "r", reason, pos });
    server.socket.ok("history", { messages, pos: at(1110), more: false }, "r");
    expect((await next).value).toMatchObject({ data: 1025 });
    for (let i = 1026; i <= 1110; i++) {
      expect((await reading.next()).value).toMatchObject({ data: i });
    }
    const gap = reading.next();
    await settle();
    expect(asked().at(-1)).toMatchObject({ since: at(1110) });
    server.socket.ok("history", { recovered: false, reason, pos }, "r");
    expect((await gap).value).toMatchObject({ type: "gap", reason, pos });
    server.socket.push(message("r", newer, "new"));
    expect((await reading.next()).value).toMatchObject({ data: "new" });
    expect(asked()).toHaveLength(2);
    await reading.return?.();
  });

  test("that is slow goes on live where the history says that the log is another one", async () => {
    const { reading, next, asked } = await behind();
    server.socket.ok("history", { recovered: false, reason: "epoch", pos: at(5, "bbbbbbbb") }, "r");
    expect((await next).value).toMatchObject({ type: "gap", reason: "epoch" });
    const following = reading.next();
    await settle();
    server.socket.push({ type: "gap", room: "r", reason: "epoch", pos: at(5, "bbbbbbbb") });
    expect((await following).value).toMatchObject({ type: "gap", reason: "epoch" });
    expect(asked()).toHaveLength(1);
    await reading.return?.();
  });

  test("that falls behind on what is in no history reads on from where the room was joined", async () => {
    const room = client.room("r", { since: at(9) });
    const reading = room[Symbol.asyncIterator]();
    server.socket.push(joinReply(server.socket.of("join")[0], at(9)));
    for (let i = 1; i <= 1024; i++) {
      server.socket.push(message("r", undefined, -i));
    }
    server.socket.push(message("r", at(10), 10));
    for (let i = 1; i <= 1024; i++) {
      expect((await reading.next()).value).toMatchObject({ data: -i });
    }
    const next = reading.next();
    await settle();
    expect(server.socket.of("history")).toMatchObject([{ since: at(9) }]);
    server.socket.ok("history", { messages: [message("r", at(10), 10)], pos: at(10), more: false }, "r");
    expect((await next).value).toMatchObject({ data: 10 });
    await reading.return?.();
  });

  test("that is slow reads what came while the history was refused", async () => {
    const { reading, next } = await behind();
    server.socket.push(message("r", at(1101), 1101));
    server.socket.ok("history", { recovered: false, reason: "expired", pos: at(1100) }, "r");
    expect((await next).value).toMatchObject({ type: "gap", reason: "expired", pos: at(1100) });
    const following = reading.next();
    await vi.advanceTimersByTimeAsync(1_000);
    server.socket.ok("history", { messages: [message("r", at(1101), 1101)], pos: at(1101), more: false }, "r");
    expect((await following).value).toMatchObject({ data: 1101 });
    await reading.return?.();
  });

  const wait = { retryable: true, retry_after: 60 };

  test.each([
    ["left", (room: Room) => void room.leave()],
    ["closed with the client", () => client.close()],
  ])("that waits to ask the history again is told what it has lost when the room is %s", async (_, end) => {
    const { room, reading, next } = await behind((e, socket) => e.type === "history" && socket.refuse("history", "rate_limited", wait));
    expect(await outcome(next)).toBe("pending");
    const timers = vi.getTimerCount();
    end(room);
    expect(await outcome(next)).toMatchObject({ value: { type: "gap", reason: "lagged", pos: at(1100) } });
    expect((await reading.next()).done).toBe(true);
    expect(vi.getTimerCount()).toBeLessThan(timers);
  });

  test("that waits to ask the history again ends at once when it is broken off", async () => {
    const { reading, next, asked } = await behind((e, socket) => e.type === "history" && socket.refuse("history", "rate_limited", wait));
    const timers = vi.getTimerCount();
    void reading.return?.();
    expect(await outcome(next)).toEqual({ done: true, value: undefined });
    expect(vi.getTimerCount()).toBe(timers - 1);
    expect(asked()).toHaveLength(1);
  });

  test("that waits for what the history does not have yet is told what it has lost when the room is left", async () => {
    const { room, reading, next } = await behind((e, socket) => {
      return e.type === "history" && socket.ok("history", { messages: [], pos: at(1024), more: false }, "r");
    });
    expect(await outcome(next)).toBe("pending");
    void room.leave();
    expect(await outcome(next)).toMatchObject({ value: { type: "gap", reason: "lagged", pos: at(1100) } });
    expect((await reading.next()).done).toBe(true);
  });

  test.each([
    ["fails", () => server.socket.refuse("history", "forbidden")],
    ["comes", () => server.socket.ok("history", { messages: [message("r", at(1025), 1025)], pos: at(1025), more: true }, "r")],
  ])("yields nothing once it is broken off when the page that was asked for %s", async (_, answer) => {
    const { reading, next } = await behind();
    void reading.return?.();
    answer();
    expect(await outcome(next)).toEqual({ done: true, value: undefined });
  });

  test("does not ask again and again where the server says that it may at once", async () => {
    let times = 0;
    const { reading, asked } = await behind((e, socket) => {
      return e.type === "history" && ++times < 9 && socket.refuse("history", "overloaded", { retryable: true, retry_after: 0 });
    });
    expect(asked()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked()).toHaveLength(2);
    void reading.return?.();
  });

  /** Has a reader fall behind at 1,024 of 1,100 messages, and read them all from a history that is ahead, up to 1,110. */
  async function overtaken() {
    const { room, told } = joined();
    const reading = room[Symbol.asyncIterator]();
    const list = (from: number, to: number) => {
      return Array.from({ length: to - from + 1 }, (_, i) => message("r", at(from + i), from + i));
    };
    server.answer = (e, socket) => {
      if (e.type === "history") {
        const since = Number(e.since.split(".")[1]);
        const [to, more] = since + e.limit < 1110 ? [since + e.limit, true] : [1110, false];
        socket.push({ type: "ok", id: e.id, of: "history", room: "r", messages: list(since + 1, to), pos: at(to), more });
      }
    };
    for (const m of list(1, 1100)) {
      server.socket.push(m);
    }
    for (let i = 1; i <= 1110; i++) {
      expect((await reading.next()).value).toMatchObject({ data: i });
    }
    const live = (from: number, to: number) => list(from, to).forEach((m) => server.socket.push(m));
    return { reading, live, told };
  }

  test("is not told again what the history told first", async () => {
    const { reading, live, told } = await overtaken();
    live(1101, 1112);
    expect((await reading.next()).value).toMatchObject({ data: 1111 });
    expect((await reading.next()).value).toMatchObject({ data: 1112 });
    expect(told.slice(-2)).toEqual([1111, 1112]);
    await reading.return?.();
  });

  test("goes on where the history has led it when the room is joined again behind that", async () => {
    const { reading, live } = await overtaken();
    await reconnect();
    server.socket.push(joinReply(server.socket.of("join")[0], at(1100), { recovered: true }));
    live(1101, 1111);
    expect((await reading.next()).value).toMatchObject({ data: 1111 });
    await reading.return?.();
  });

  test.each([1105, 1110])("is not told of a gap in what it has read, up to %i", async (offset) => {
    const { reading, live, told } = await overtaken();
    server.socket.push({ type: "gap", room: "r", reason: "lagged", pos: at(offset) });
    live(offset + 1, 1111);
    expect((await reading.next()).value).toMatchObject({ data: 1111 });
    expect(told).toContainEqual(["gap", "lagged"]);
    await reading.return?.();
  });

  test.each(["epoch", "diverged"])("is told that the log is another one (%s), wherever that stands", async (reason) => {
    const { reading } = await overtaken();
    server.socket.push({ type: "gap", room: "r", reason, pos: at(1105) }).push(message("r", at(1106), "new"));
    expect((await reading.next()).value).toMatchObject({ type: "gap", reason });
    expect((await reading.next()).value).toMatchObject({ data: "new" });
    await reading.return?.();
  });

  test("that begins where nothing can be recovered is told so", async () => {
    const room = client.room("r", { since: at(3) });
    const reading = room[Symbol.asyncIterator]();
    server.socket.push(joinReply(server.socket.of("join")[0], at(9), { recovered: false, reason: "expired" }));
    expect((await reading.next()).value).toMatchObject({ type: "gap", reason: "expired", pos: at(9) });
    await reading.return?.();
  });

  test("that is slow asks again where the history is refused for a while", async () => {
    const { room } = joined();
    const { push } = log("r");
    const answer = server.answer;
    server.answer = (e, socket) => e.type === "history" && socket.refuse("history", "rate_limited", { retryable: true, retry_after: 2 });
    const reading = room[Symbol.asyncIterator]();
    push(1100);
    for (let i = 1; i <= 1024; i++) {
      expect((await reading.next()).value).toMatchObject({ data: i });
    }
    const next = reading.next();
    expect(await outcome(next)).toBe("pending");
    server.answer = answer;
    await vi.advanceTimersByTimeAsync(1_900);
    expect(server.socket.of("history")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect((await next).value).toMatchObject({ data: 1025 });
    for (let i = 1026; i <= 1100; i++) {
      expect((await reading.next()).value).toMatchObject({ data: i });
    }
  });

  test("that is slow when the client is closed is told what it has lost", async () => {
    const { room } = joined();
    const { push } = log("r");
    const reading = room[Symbol.asyncIterator]();
    push(1100);
    client.close();
    for (let i = 1; i <= 1024; i++) {
      expect((await reading.next()).value).toMatchObject({ data: i });
    }
    expect((await reading.next()).value).toMatchObject({ type: "gap", reason: "lagged", pos: at(1100) });
    expect((await reading.next()).done).toBe(true);
  });

  test("that is slow where the history is forbidden is told so", async () => {
    const { room } = joined();
    server.answer = (e, socket) => e.type === "history" && socket.refuse("history", "forbidden");
    const reading = room[Symbol.asyncIterator]();
    for (let i = 1; i <= 1500; i++) {
      server.socket.push(message("r", at(i), i));
    }
    let last: Message | Gap | undefined;
    for (let i = 1; i <= 1025; i++) {
      last = (await reading.next()).value;
    }
    expect(last).toMatchObject({ type: "gap", reason: "lagged", pos: at(1500) });
  });
});

describe("presence", () => {
  const member = (user: string) => ({ user });

  test("is kept from the join on", async () => {
    const { room } = joined("r", { presence: true }, { present: 1, members: [member("alice")] });
    const before = room.members;
    const told: number[] = [];
    room.on("presence", (p) => told.push(p.count));
    const states: unknown[] = [];
    room.on("state", (change) => states.push(change));
    server.socket
      .push({ type: "user_joined", room: "r", user: "bob", name: "Bob", count: 2 })
      .push({ type: "state", room: "r", user: "bob", state: "busy" })
      .push({ type: "state", room: "r", user: "nobody", state: "busy" });
    expect(room.members).toEqual([{ user: "alice" }, { user: "bob", name: "Bob", state: "busy" }]);
    expect(before).toEqual([{ user: "alice" }]);
    server.socket.push({ type: "user_left", room: "r", user: "alice", count: 1 });
    expect(room.members.map((m) => m.user)).toEqual(["bob"]);
    expect(told).toEqual([2, 2, 1]);
    expect(states).toEqual([
      { room: "r", user: "bob", state: "busy" },
      { room: "r", user: "nobody", state: "busy" },
    ]);
  });

  test("has the new name of somebody who is there", async () => {
    const { room } = joined("r", { presence: true }, { present: 2, members: [member("alice"), { user: "bob", name: "Bob" }] });
    server.socket.push({ type: "user_joined", room: "r", user: "bob", name: "Robert", state: "busy", count: 2 });
    expect(room.members).toEqual([{ user: "alice" }, { user: "bob", name: "Robert", state: "busy" }]);
    expect(room.count).toBe(2);
  });

  test("of more users than a reply holds is fetched page by page", async () => {
    const users = Array.from({ length: 150 }, (_, i) => `u${String(i).padStart(3, "0")}`);
    const { room } = joined("r", { presence: true }, { present: 150, members: users.slice(0, 100).map(member) });
    server.answer = (e, socket) => {
      if (e.type === "presence") {
        const from = e.next === undefined ? 0 : users.indexOf(e.next) + 1;
        const page = users.slice(from, from + 100);
        const next = from + 100 < users.length ? page.at(-1) : undefined;
        socket.push({ type: "ok", id: e.id, of: "presence", count: 150, members: page.map(member), next });
      }
    };
    await settle();
    expect(room.members.map((m) => m.user)).toEqual(users);
    expect(server.socket.of("presence")).toHaveLength(2);
  });

  test("of very many users is a number alone, and a list again when they are fewer", async () => {
    const { room } = joined("r", { presence: true }, { present: 1, members: [member("alice")] });
    server.socket.push({ type: "presence", room: "r", count: 1042 });
    expect([room.count, room.members]).toEqual([1042, []]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(server.socket.of("presence")).toHaveLength(0);
    server.socket.push({ type: "user_left", room: "r", user: "x", count: 2 });
    await vi.advanceTimersByTimeAsync(1000);
    server.socket.ok("presence", { count: 2, members: [member("alice"), member("bob")] });
    await settle();
    expect(room.members).toHaveLength(2);
  });
});

describe("the inbox", () => {
  test("is joined by itself, and continues after a lost connection", async () => {
    const other = new FakeServer();
    const bob = await other.client();
    expect(bob.inbox.name).toBe("");
    other.socket.welcome({ user: "bob", inbox: "@bob" });
    expect(other.socket.of("join")).toMatchObject([{ room: "@bob" }]);
    other.socket.push(joinReply(other.socket.of("join")[0], at(0))).push(message("@bob", at(1), "psst"));
    other.socket.drop();
    (await other.next()).welcome({ user: "bob", inbox: "@bob" });
    expect(other.socket.of("join")).toMatchObject([{ room: "@bob", since: at(1) }]);
    bob.close();
  });

  test("of another user says with a gap that it is another one", async () => {
    const other = new FakeServer();
    const anonymous = await other.client();
    const gaps: Gap[] = [];
    anonymous.inbox.on("gap", (gap) => gaps.push(gap));
    other.socket.welcome({ inbox: "@anon-1" }).push(joinReply(other.socket.of("join")[0], at(5)));
    other.socket.drop();
    (await other.next()).welcome({ inbox: "@anon-2" });
    const join = other.socket.of("join")[0];
    expect(join).toMatchObject({ room: "@anon-2" });
    expect(join.since).toBeUndefined();
    other.socket.push(joinReply(join, at(0, "bbbbbbbb")));
    expect(gaps).toMatchObject([{ room: "@anon-2", reason: "epoch", pos: at(0, "bbbbbbbb") }]);
    anonymous.close();
  });

  test.each([
    ["bob", "@bob"],
    ["ann@example.com", "@ann~40example.com"],
    ["Å b", "@~c3~85~20b"],
  ])("of %s is %s", (user, room) => {
    void client.send(user, 1).catch(() => {});
    expect(server.socket.of("publish")).toMatchObject([{ room, data: 1 }]);
  });
});

test("closing the client ends its rooms without an error, being sent away with one", async () => {
  const first = joined();
  client.close();
  expect(first.told.slice(1)).toEqual([["left", undefined]]);
  client = await server.open();
  const second = joined();
  server.socket.drop(4403, "forbidden");
  expect(second.told.slice(1)).toEqual([["left", "forbidden"]]);
});
