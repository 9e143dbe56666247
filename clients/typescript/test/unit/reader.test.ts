import { describe, expect, test, vi } from "vitest";
import { type Gap, type Message, type Room, WireroomError } from "../../src/index.js";
import { joinReply, message, outcome, settle } from "./fake.js";
import { at, client, connectEach, joined, reconnect } from "./rooms.js";
import { server } from "./sockets.js";

connectEach();

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
