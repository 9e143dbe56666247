import { describe, expect, test, vi } from "vitest";
import type { Gap } from "../../src/index.js";
import { FakeServer, joinReply, message, outcome, settle } from "./fake.js";
import { at, client, connectEach, joined, reconnect } from "./rooms.js";
import { server } from "./sockets.js";

connectEach();

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

test("closing the client ends its rooms without an error", () => {
  const { told } = joined();
  client.close();
  expect(told.slice(1)).toEqual([["left", undefined]]);
});

test("being sent away ends the rooms with an error", () => {
  const { told } = joined();
  server.socket.drop(4403, "forbidden");
  expect(told.slice(1)).toEqual([["left", "forbidden"]]);
});
