import { describe, expect, test, vi } from "vitest";
import { EventStream } from "../../src/eventstream.js";
import { message } from "./fake.js";
import { greeting } from "./fakehttp.js";
import { at, http, ok, passed, serveEach, start, streaming } from "./stateless.js";

serveEach();

describe("an event stream", () => {
  function read(...pieces: string[]): { type: string; data: string }[] {
    const seen: { type: string; data: string }[] = [];
    const stream = new EventStream({ event: (e) => seen.push(e), retry: (ms) => seen.push({ type: "retry", data: `${ms}` }), alive: () => {} });
    for (const piece of pieces) {
      stream.feed(Uint8Array.from(piece, (c) => c.charCodeAt(0)));
    }
    return seen;
  }

  test.each([
    ["event: a\ndata: 1\n\n", [{ type: "a", data: "1" }]],
    ["event:a\r\ndata:1\r\n\r\n", [{ type: "a", data: "1" }]],
    ["event: a\rdata: 1\r\rdata: 2\n\n", [{ type: "a", data: "1" }, { type: "message", data: "2" }]],
    ["data: 1\ndata: 2\ndata\n\n", [{ type: "message", data: "1\n2\n" }]],
    [": comment\n\nid: 7\nevent: a\n\ndata: 1\n\n", [{ type: "message", data: "1" }]],
    ["retry: 300\nretry: soon\n", [{ type: "retry", data: "300" }]],
    ["data: a: b\n\ndata: not ended\n", [{ type: "message", data: "a: b" }]],
    ["data: \u00c3\u00bc\u00e2\u0080\u00a8\n\n", [{ type: "message", data: "ü\u2028" }]],
  ])("%j is read the same in whatever pieces it comes", (text, events) => {
    expect(read(text)).toEqual(events);
    expect(read(...text)).toEqual(events);
    for (let i = 1; i < text.length; i++) {
      expect(read(text.slice(0, i), text.slice(i))).toEqual(events);
    }
  });

  test("a line without an end is not kept for ever", () => {
    const stream = new EventStream({ event: () => {}, retry: () => {}, alive: () => {} });
    const piece = new Uint8Array(1 << 20).fill(97);
    expect(() => {
      for (let i = 0; i < 10; i++) {
        stream.feed(piece);
      }
    }).toThrow(RangeError);
  });
});

describe("over server-sent events", () => {
  test("the token goes in a header, and the address stands beside that of the WebSocket", async () => {
    await streaming({ token: "t" });
    const { query, headers } = http.newest("/app/sse");
    expect(headers.Authorization).toBe("Bearer t");
    expect([...query.keys()]).toEqual(["tenant", "client", "room"]);
    expect(query.get("room")).toBe("@");
    expect(query.get("client")).toMatch(/^[0-9a-f]{32}$/);
  });

  test("an anonymous client stays the user that the first greeting has named", async () => {
    const client = await start({ transports: ["sse"] });
    await passed(1);
    await http.newest("/app/sse").event("welcome", { ...greeting, user: "anon-1", token: "made" });
    client.room("r");
    await passed(1);
    expect(http.newest("/app/sse").headers.Authorization).toBe("Bearer made");
    void client.publish("r", 1).catch(() => {});
    await passed();
    expect(http.newest("/app/send").headers.Authorization).toBe("Bearer made");
  });

  test("rooms that are joined together share one stream, which goes on where they stand", async () => {
    const client = await streaming();
    const a = client.room("a");
    client.room("b", { since: at(7) });
    await passed(1);
    const first = http.newest("/app/sse");
    expect(http.of("/app/sse")[0]?.aborted).toBe(true);
    expect(first.query.getAll("room")).toEqual(["a", "b"]);
    expect(first.query.get("cursor")).toBe(`b=${at(7)}`);
    await first.event("welcome", greeting);
    await first.event("ok", ok("a", { pos: at(3), head: at(3) }));
    await first.event("ok", ok("b", { pos: at(7), head: at(7), recovered: true }));
    await first.event("message", message("a", at(4), "four"));
    expect(await a.joined).toMatchObject({ pos: at(3) });
    expect(a.position).toBe(at(4));
    client.room("c");
    await passed(1);
    expect(http.newest("/app/sse").query.getAll("room")).toEqual(["a", "b", "c"]);
    expect(http.newest("/app/sse").query.get("cursor")).toBe(`a=${at(4)},b=${at(7)}`);
  });

  test("what a stream missed while another room was joined is a gap where it is lost for good", async () => {
    const client = await streaming();
    const a = client.room("a");
    await passed(1);
    await http.newest("/app/sse").event("ok", ok("a"));
    const gaps: unknown[] = [];
    a.on("gap", (gap) => gaps.push(gap));
    client.room("b");
    await passed(1);
    await http.newest("/app/sse").event("ok", ok("a", { pos: at(9), recovered: false, reason: "expired" }));
    expect(gaps).toMatchObject([{ reason: "expired", pos: at(9) }]);
    expect(a.position).toBe(at(9));
  });

  test("requests go one after the other, those that wait together, in their order and within what the server takes", async () => {
    const client = await streaming();
    const results = ["a", "b", "c"].map((data) => client.publish("r", data));
    await passed();
    const { body, answer } = http.newest("/app/send");
    expect(body.map((e: any) => [e.type, e.data, e.seq])).toEqual([
      ["publish", "a", 1],
      ["publish", "b", 2],
      ["publish", "c", 3],
    ]);
    const large = client.publish("r", "x".repeat(600));
    const other = client.publish("r", "y".repeat(600));
    await passed();
    expect(http.of("/app/send")).toHaveLength(1);
    await answer(200, body.map((e: any) => ({ type: "ok", id: e.id, of: "publish", room: "r", pos: at(e.seq), ts: 1 })));
    expect(await Promise.all(results)).toMatchObject([{ pos: at(1) }, { pos: at(2) }, { pos: at(3) }]);
    expect(http.of("/app/send")).toHaveLength(2);
    expect(http.newest("/app/send").body.data).toHaveLength(600);
    await http.newest("/app/send").answer(200, { type: "ok", id: http.newest("/app/send").body.id, pos: at(4), ts: 1 });
    expect(await large).toMatchObject({ pos: at(4) });
    await http.newest("/app/send").answer(200, [{ type: "ok", id: http.newest("/app/send").body.id, pos: at(5), ts: 1 }]);
    expect(await other).toMatchObject({ pos: at(5) });
  });

  test("bytes go in base64, and do not grow beyond what the server takes unseen", async () => {
    const client = await streaming();
    void client.publish("r", new Uint8Array([0, 255, 7])).catch(() => {});
    await passed();
    expect(http.newest("/app/send").body.bytes).toBe("AP8H");
    await expect(client.publish("r", new Uint8Array(800))).rejects.toMatchObject({ code: "too_large" });
  });

  test("a POST without an answer leaves the outcome open, and is sent again under its number", async () => {
    const client = await streaming();
    const published = client.publish("r", 1);
    const asked = client.request("sum", [1]);
    asked.catch(() => {});
    await passed();
    const [{ producer, seq }] = http.newest("/app/send").body;
    await http.newest("/app/send").fail();
    await expect(asked).rejects.toMatchObject({ code: "disconnected", uncertain: true });
    await passed(1000);
    await http.newest("/app/sse").event("welcome", greeting);
    expect(http.newest("/app/send").body).toMatchObject({ type: "publish", producer, seq });
    await http.newest("/app/send").answer(200, { type: "ok", id: http.newest("/app/send").body.id, pos: at(1), ts: 1 });
    expect(await published).toMatchObject({ pos: at(1) });
  });

  test("a token is renewed by another stream with it", async () => {
    const token = vi.fn(async () => `t${token.mock.calls.length}`);
    const client = await streaming({ token });
    await http.newest("/app/sse").event("token_expiring", { expires_in: 60 });
    await passed(1);
    expect(http.newest("/app/sse").headers.Authorization).toBe("Bearer t2");
    await http.newest("/app/sse").event("welcome", greeting);
    expect(client.state).toBe("open");
    expect(http.of("/app/sse")).toHaveLength(2);
  });

  test.each([
    [401, { type: "error", code: "token_expired" }, 4501, "connecting"],
    [401, undefined, 4401, "connecting"],
    [403, { type: "error", code: "forbidden" }, 4403, "closed"],
    [400, { type: "error", code: "bad_request" }, 4400, "closed"],
    [403, "a proxy's page", 1006, "connecting"],
    [502, undefined, 1006, "connecting"],
    [204, undefined, 4403, "closed"],
  ])("status %d with %j is %d: %s", async (status, body, closeCode, state) => {
    const client = await start({ transports: ["sse"], token: async () => "t" });
    await passed(1);
    await http.newest("/app/sse").answer(status, body);
    expect(client.status).toMatchObject({ state, error: { closeCode } });
  });

  test("a page in the place of a stream is no stream", async () => {
    const client = await start({ transports: ["sse"] });
    await passed(1);
    await http.newest("/app/sse").answer(200, "<html>", { "content-type": "text/html" });
    expect(client.status).toMatchObject({ state: "connecting", error: { closeCode: 1006 } });
  });

  test.each([
    ["retry: 2500\nevent: draining\ndata: {\"type\":\"draining\",\"reconnect_after\":2.5}\n\n", 4503, 2500],
    ["retry: 4000\nevent: failure\ndata: {\"type\":\"error\",\"code\":\"rate_limited\",\"message\":\"\"}\n\n", 4529, 4000],
    ["retry: 7000\n\n", 1006, 7000],
  ])("a stream that ends with %j comes back when it was told", async (text, closeCode, retryMs) => {
    const client = await streaming();
    await http.newest("/app/sse").text(text);
    await http.newest("/app/sse").end();
    expect(client.status).toMatchObject({ state: "connecting", retryMs, error: { closeCode } });
  });

  test("what a stream has told holds when the connection breaks after it", async () => {
    const client = await streaming();
    await http.newest("/app/sse").event("draining", { reconnect_after: 2.5 });
    await http.newest("/app/sse").breaks();
    expect(client.status).toMatchObject({ state: "connecting", retryMs: 2500, error: { closeCode: 4503 } });
  });

  test("a room whose presence is off has a stream of its own beside rooms that ask for it", async () => {
    const client = await streaming();
    const seen = client.room("seen", { presence: true });
    const quiet = client.room("quiet");
    await passed(1);
    const first = http.newest("/app/sse");
    expect(first.query.get("presence")).toBe("true");
    await first.event("ok", ok("seen", { present: 1, members: [{ user: "alice" }] }));
    await first.event("error", { of: "join", room: "quiet", code: "presence_disabled", message: "", retryable: false });
    expect(quiet.stage).toBe("joining");
    await passed(1);
    const [second] = http.of("/app/sse").filter(({ query }) => query.getAll("room").join() === "quiet");
    expect(second?.query.get("presence")).toBeNull();
    await second?.event("ok", ok("quiet"));
    expect([seen.stage, quiet.stage]).toEqual(["joined", "joined"]);
  });

  test("a room in which a rule forbids to see who is there is joined apart from rooms that ask for it", async () => {
    const client = await streaming();
    const seen = client.room("seen", { presence: true });
    const closed = client.room("closed", { presence: true });
    const quiet = client.room("quiet");
    const forbidden = { of: "join", code: "forbidden", field: "presence", message: "", retryable: false };
    await passed(1);
    const first = http.newest("/app/sse");
    await first.event("ok", ok("seen", { present: 1, members: [{ user: "alice" }] }));
    await first.event("error", { ...forbidden, room: "closed" });
    await first.event("error", { ...forbidden, room: "quiet" });
    expect([seen.stage, closed.stage, quiet.stage]).toEqual(["joined", "left", "joining"]);
    expect(closed.error).toMatchObject({ code: "forbidden" });
    await passed(1);
    const [second] = http.of("/app/sse").filter(({ query }) => query.getAll("room").join() === "quiet");
    expect(second?.query.get("presence")).toBeNull();
    await second?.event("ok", ok("quiet"));
    expect(quiet.stage).toBe("joined");
  });

  test("rooms that are all refused are asked for again without presence, but for those that want it", async () => {
    const client = await streaming();
    const quiet = client.room("quiet");
    const closed = client.room("closed", { presence: true });
    await passed(1);
    await http.newest("/app/sse").answer(204, undefined, { "Wireroom-Error": "forbidden" });
    expect([quiet.stage, closed.stage]).toEqual(["joining", "left"]);
    await passed(1);
    const [again] = http.of("/app/sse").filter(({ query }) => query.getAll("room").join() === "quiet");
    expect(again?.query.get("presence")).toBeNull();
    await again?.answer(204, undefined, { "Wireroom-Error": "forbidden" });
    expect(quiet).toMatchObject({ stage: "left", error: { code: "forbidden" } });
    expect(client.state).toBe("open");
  });

  test("presence goes to those rooms alone that asked for it", async () => {
    const client = await streaming();
    client.room("seen", { presence: true });
    const plain = client.room("plain");
    await passed(1);
    const stream = http.newest("/app/sse");
    await stream.event("ok", ok("plain", { present: 1, members: [{ user: "alice" }] }));
    await stream.event("user_joined", { room: "plain", user: "bob", count: 2 });
    expect(plain.members).toEqual([]);
  });

  test("a stream that is silent is replaced, and given up for polls when the next one is silent as well", async () => {
    const client = await streaming({ transports: ["sse", "poll"] });
    await passed(28_755);
    expect(http.of("/app/sse")).toHaveLength(2);
    await http.newest("/app/sse").event("welcome", greeting);
    expect(client.state).toBe("open");
    await passed(28_755);
    expect(client.state).toBe("connecting");
    await passed(1000);
    expect(http.newest("/app/poll").query.get("wait")).toBe("0");
  });

  test("requests without an answer do not make a stream suspicious that says something as often as it has to", async () => {
    const client = await streaming({ transports: ["sse", "poll"] });
    for (let i = 0; i < 3; i++) {
      await passed(11_000);
      void client.publish("r", i).catch(() => {});
      // 26 s after it was heard, 15 s after it was asked.
      await passed(15_100);
      await http.newest("/app/sse").event("welcome", greeting);
      const { body, answer } = http.newest("/app/send");
      await answer(200, { type: "ok", id: [body].flat()[0].id, pos: at(i), ts: 1 });
    }
    expect(client.status).toMatchObject({ state: "open", transport: "sse" });
    expect(http.of("/app/poll")).toEqual([]);
  });

  test("a stream that is kept alive by comments is left alone", async () => {
    await streaming();
    for (let i = 0; i < 10; i++) {
      await passed(25_000);
      await http.newest("/app/sse").text(":\n\n");
    }
    expect(http.of("/app/sse")).toHaveLength(1);
  });

  test("after close() nothing is asked any more", async () => {
    const client = await streaming();
    client.close();
    expect(http.newest("/app/sse").aborted).toBe(true);
    await passed(600_000);
    expect(http.all).toHaveLength(1);
  });
});

test.each(["a/b=c+d~e:f.g-h_i", "@ann~40example.com", "@a.b-C_9", "@~7b", "a".repeat(200)])("%s is the name of a room", async (name) => {
  const client = await streaming();
  client.room(name);
  await passed(1);
  expect(http.newest("/app/sse").query.getAll("room")).toEqual([name]);
});

test.each(["a b", "$a", "a@b", "@", "@a/b", "@~41", "@~7a", "@~4", "@~4A", "a".repeat(201), "é"])(
  "%s is none, which is no reason to have other rooms refused with it",
  async (name) => {
    const client = await streaming();
    client.room("fine");
    const { joined } = client.room(name);
    await passed(1);
    await expect(joined).rejects.toMatchObject({ code: "invalid_room", field: "room" });
    expect(http.newest("/app/sse").query.getAll("room")).toEqual(["fine"]);
    expect(client.state).toBe("open");
  },
);
