import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Client, ConnectOptions, Gap, Message, Presence, Status, Transport } from "../../src/index.js";
import { collect, connectTo, inState, next } from "./kit.js";
import { type Server, startServer, tokenOf } from "./server.js";

describe.each<Transport>(["websocket", "sse", "poll"])("over %s", (transport) => {
  let server: Server;
  const clients: Client[] = [];

  beforeAll(async () => {
    server = await startServer({ secret: true, args: ["--limits-publish-rate=0"] });
  });
  afterEach(() => {
    for (const client of clients.splice(0)) {
      client.close();
    }
  });
  afterAll(() => server.stop());

  function user(name: string, options: ConnectOptions = {}): Client {
    const client = connectTo(server.url, { token: tokenOf(name), transports: [transport], ...options });
    clients.push(client);
    return client;
  }

  test("two clients chat", async () => {
    const alice = user("alice").room("general");
    const bob = user("bob").room<string>("general");
    await Promise.all([alice.joined, bob.joined]);
    const heard = next<Message<string>>(bob, "message");
    const published = await alice.publish("hello", { event: "greeting" });
    expect(await heard).toMatchObject({
      type: "message",
      room: "general",
      pos: published.pos,
      ts: published.ts,
      from: { user: "alice", name: "alice" },
      event: "greeting",
      data: "hello",
    });
    expect(bob.position).toBe(published.pos);
  });

  test("the client is there at once, and what is asked of it waits for the connection", async () => {
    const alice = user("alice");
    expect(alice.state).toBe("connecting");
    const room = alice.room("waiting");
    const [published, welcome] = await Promise.all([room.publish(1), alice.ready]);
    expect(published.pos).toBeTypeOf("string");
    expect(welcome.user).toBe("alice");
    expect(alice.state).toBe("open");
  });

  test("iterating yields every message in order", async () => {
    const alice = user("alice");
    const room = alice.room<number>("iterated");
    await room.joined;
    const reading = (async () => {
      const seen: number[] = [];
      for await (const m of room) {
        if (m.type === "message" && seen.push(m.data) === 100) {
          return seen;
        }
      }
      return seen;
    })();
    await Promise.all(Array.from({ length: 100 }, (_, i) => room.publish(i)));
    expect(await reading).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test("echo:false keeps the live copy from the publisher alone", async () => {
    const alice = user("alice").room("echo");
    const bob = user("bob").room("echo");
    await Promise.all([alice.joined, bob.joined]);
    const heard = [collect(alice, 1), collect(bob, 2)];
    await alice.publish("silent", { echo: false });
    await alice.publish("loud");
    expect(await Promise.all(heard)).toEqual([["loud"], ["silent", "loud"]]);
  });

  test("an ephemeral message is delivered and not kept", async () => {
    const alice = user("alice").room("ephemeral");
    await alice.joined;
    const heard = next<Message>(alice, "message");
    const published = await alice.publish("typing", { ephemeral: true });
    expect(published.pos).toBeUndefined();
    expect(await heard).toMatchObject({ data: "typing" });
    expect((await alice.history()).messages).toEqual([]);
  });

  test("bytes arrive as bytes, live and from the history", async () => {
    const alice = user("alice").room<Uint8Array>("bytes");
    await alice.joined;
    const heard = next<Message<Uint8Array>>(alice, "message");
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    await alice.publish(bytes);
    expect((await heard).data).toEqual(bytes);
    expect((await alice.history()).messages[0]?.data).toEqual(bytes);
    await alice.publish(new Uint8Array(0));
    expect((await alice.history({ limit: 1 })).messages[0]?.data).toEqual(new Uint8Array(0));
  });

  test("last replays the newest messages, and since what came after a position", async () => {
    const alice = user("alice");
    const pos = [];
    for (let i = 0; i < 10; i++) {
      pos.push((await alice.publish("replayed", i)).pos as string);
    }
    expect(await collect(alice.room("replayed", { last: 3 }), 3)).toEqual([7, 8, 9]);
    const later = user("alice").room("replayed", { since: pos[4] });
    expect(await collect(later, 5)).toEqual([5, 6, 7, 8, 9]);
    expect(later.position).toBe(pos[9]);
  });

  test("a position that cannot be proven is a gap, not silence", async () => {
    const alice = user("alice");
    await alice.publish("unproven", 1);
    const room = alice.room("unproven", { since: "qqqqqqqq.7.00000000" });
    const gap = await next<Gap>(room, "gap");
    expect(gap).toMatchObject({ type: "gap", room: "unproven", reason: "epoch", pos: room.position });
  });

  test("the history is read in pages, and refuses a position of another log", async () => {
    const alice = user("alice");
    const room = alice.room("paged");
    for (let i = 0; i < 5; i++) {
      await room.publish(i);
    }
    const newest = await room.history({ limit: 2 });
    expect(newest.messages.map((m) => m.data)).toEqual([3, 4]);
    expect(newest.more).toBe(true);
    const older = await room.history({ before: newest.messages[0]?.pos });
    expect(older.messages.map((m) => m.data)).toEqual([0, 1, 2]);
    expect(older.more).toBe(false);
    const refused = await room.history({ since: "qqqqqqqq.7.00000000" });
    expect(refused).toMatchObject({ messages: [], refused: "epoch", pos: newest.pos });
  });

  test.runIf(transport === "websocket")("presence follows who comes, changes and goes", async () => {
    const alice = user("alice").room("people", { presence: true, state: "here" });
    await alice.joined;
    expect(alice.members).toEqual([{ user: "alice", name: "alice", state: "here" }]);
    const bobs = user("bob");
    const bob = bobs.room("people", { state: { busy: false } });
    await next<Presence>(alice, "presence", (p) => p.count === 2);
    expect(alice.members[1]).toEqual({ user: "bob", name: "bob", state: { busy: false } });
    const changed = next(alice, "state");
    await bob.setState({ busy: true });
    expect(await changed).toEqual({ room: "people", user: "bob", state: { busy: true } });
    expect(alice.members[1]?.state).toEqual({ busy: true });
    expect(await bob.presence({ limit: 1 })).toMatchObject({ count: 2, members: [{ user: "alice" }], next: "alice" });
    const gone = next<Presence>(alice, "presence", (p) => p.count === 1);
    bobs.close();
    await gone;
    expect(alice.members.map((m) => m.user)).toEqual(["alice"]);
  });

  test.skipIf(transport === "websocket")("presence follows who comes and goes; a state of one's own is refused", async () => {
    const alice = user("alice").room("people", { presence: true });
    await alice.joined;
    expect(alice.members).toMatchObject([{ user: "alice", name: "alice" }]);
    const bob = user("bob").room("people");
    await next<Presence>(alice, "presence", (p) => p.count === 2);
    expect(await bob.presence({ limit: 1 })).toMatchObject({ count: 2, members: [{ user: "alice" }], next: "alice" });
    bob.on("presence", () => expect.unreachable());
    await expect(bob.setState("busy")).rejects.toMatchObject({ code: "unsupported" });
    const gone = next<Presence>(alice, "presence", (p) => p.count === 1);
    await bob.leave();
    await gone;
    expect(alice.members.map((m) => m.user)).toEqual(["alice"]);
  });

  test("a private message reaches every connection of the user, and nobody else", async () => {
    const name = "ann@example.com";
    const [here, there] = [user(name), user(name)];
    await Promise.all([here.inbox.joined, there.inbox.joined]);
    const heard = [next<Message>(here.inbox, "message"), next<Message>(there.inbox, "message")];
    await user("bob").send(name, "psst");
    for (const message of await Promise.all(heard)) {
      expect(message).toMatchObject({ room: "@ann~40example.com", data: "psst", from: { user: "bob" } });
    }
    const spy = user("mallory").room("@ann~40example.com");
    await expect(spy.joined).rejects.toMatchObject({ code: "forbidden" });
    expect(spy.stage).toBe("left");
  });

  test("a room that is left delivers nothing more and can be joined again", async () => {
    const alice = user("alice");
    const first = alice.room("revolving");
    await first.joined;
    const left = next(first, "left");
    await first.leave();
    expect(await left).toBeUndefined();
    const second = alice.room("revolving");
    expect(second).not.toBe(first);
    await second.joined;
    const heard = collect(second, 1);
    first.on("message", () => expect.unreachable());
    await second.publish("again");
    expect(await heard).toEqual(["again"]);
  });

  test("a request of a type that nothing handles is refused by its code", async () => {
    await expect(user("alice").request("sum", [1, 2])).rejects.toMatchObject({ code: "unknown_type", retryable: false });
  });

  test("what the server refuses for good rejects the publish, and the next ones are stored", async () => {
    const alice = user("alice");
    const room = alice.room("refused");
    const large = room.publish("x".repeat(70_000));
    const after = room.publish("small");
    await expect(large).rejects.toMatchObject({ code: "too_large" });
    expect((await after).pos).toMatch(/\.1\./);
    await expect(alice.publish("not a name!", 1)).rejects.toMatchObject({ code: "invalid_room" });
    expect((await room.publish("second")).pos).toMatch(/\.2\./);
  });

  test("a key stores a message once", async () => {
    const room = user("alice").room("keyed");
    const [first, second] = await Promise.all([room.publish("a", { key: "k" }), room.publish("a", { key: "k" })]);
    expect(second.pos).toBe(first.pos);
    expect((await room.history()).messages).toHaveLength(1);
  });

  test("a publisher that is faster than its rate is slowed down and loses nothing", async () => {
    const slow = await startServer({ args: ["--limits-publish-rate=200", "--limits-publish-burst=20"] });
    const client = connectTo(slow.url, { transports: [transport] });
    clients.push(client);
    const room = client.room<number>("slow");
    await room.joined;
    const heard = collect(room, 150);
    const published = await Promise.all(Array.from({ length: 150 }, (_, i) => room.publish(i)));
    expect(new Set(published.map((p) => p.pos)).size).toBe(150);
    expect(await heard).toEqual(Array.from({ length: 150 }, (_, i) => i));
    await slow.stop();
  });

  test("a bad token stops the client, after one new one was asked for", async () => {
    const told: Status[] = [];
    let asked = 0;
    const client = user("", {
      token: () => {
        asked++;
        return "no.token.atall";
      },
    });
    client.on("state", (s) => told.push(s));
    await expect(client.ready).rejects.toMatchObject({ code: "unauthorized" });
    expect(asked).toBe(2);
    expect(client.state).toBe("closed");
    await expect(client.publish("x", 1)).rejects.toMatchObject({ code: "unauthorized" });
  });

  test("a refused token is replaced by a new one", async () => {
    const tokens = [tokenOf("alice", -3600), tokenOf("alice")];
    const client = user("", { token: () => tokens.shift() });
    expect((await client.ready).user).toBe("alice");
  });

  test("a token that is about to expire is renewed on the connection that there is", async () => {
    let asked = 0;
    const renewed = new Promise<void>((resolve) => {
      const client = user("", {
        token: () => {
          if (++asked === 2) {
            resolve();
          }
          return tokenOf("alice", asked === 1 ? 40 : 3600);
        },
      });
      client.on("state", (s) => s.state === "connecting" && expect.unreachable());
      client.on("error", () => expect.unreachable());
    });
    await renewed;
    const [client] = clients;
    expect((await client?.room("renewed").publish(1))?.pos).toBeTypeOf("string");
  });

  test("without a token a client is told that it needs one", async () => {
    await expect(user("", { token: undefined }).ready).rejects.toMatchObject({ code: "unauthorized" });
  });

  test("an anonymous user comes back as the same one, and as another when the server has forgotten it", async () => {
    const open = await startServer({ args: [] });
    const client = connectTo(open.url, { name: "Ann", transports: [transport] });
    clients.push(client);
    const { user: before } = await client.ready;
    const gap = next<Gap>(client.inbox, "gap");
    await client.inbox.joined;
    await open.stop("SIGKILL");
    await inState(client, "connecting");
    const again = await startServer({ port: open.port });
    expect(await gap).toMatchObject({ reason: "epoch", room: client.inbox.name });
    expect(client.user).not.toBe(before);
    expect(client.inbox.name).toBe(client.welcome?.inbox);
    await again.stop();
  });

  test("a server that stops sends its clients away and gets them back", async () => {
    const first = await startServer({ secret: true });
    // Without a room the stream that brings the welcome is the one that stays: there is no moment between two of them.
    const client = connectTo(first.url, { token: tokenOf("alice"), transports: [transport], inbox: false });
    clients.push(client);
    await inState(client, "open");
    const waiting = next<Status>(client, "state", (s) => s.state === "connecting");
    await first.stop();
    const { error } = await waiting;
    // Between two polls nobody can be told.
    expect([4503, transport === "poll" ? 1006 : 4503]).toContain(error?.closeCode);
    const second = await startServer({ secret: true, port: first.port });
    await inState(client, "open");
    await second.stop();
  });
});
