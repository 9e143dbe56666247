// The parts of the chat page that need neither browser nor server: names, what is shown of a message, and the order of a conversation.

import assert from "node:assert/strict";
import { test } from "node:test";

const from = (name) => import(new URL(`../../web/chat/${name}`, import.meta.url));
const { inboxOf, roomName, roomProblem, textLength, userOf } = await from("protocol.js");
const { Conversation } = await from("conversation.js");
const { hueOf, initials, isJumbo, linked, people } = await from("format.js");
const { bodyOf, typed } = await from("message.js");
const { seen } = await import(new URL("../../web/parts/dom.js", import.meta.url));
const { Saved } = await import(new URL("../../web/parts/saved.js", import.meta.url));

test("an inbox's name is the user with every other byte escaped, and leads back", () => {
  assert.equal(inboxOf("anon-a1.B_"), "@anon-a1.B_");
  assert.equal(inboxOf("a b/é~"), "@a~20b~2f~c3~a9~7e");
  for (const user of ["anon-x", "a b/é~", "tab\there", "名前", "🌿"]) assert.equal(userOf(inboxOf(user)), user);
  assert.equal(userOf("lobby"), "");
});

test("a room's name is what was typed, made valid where that is obvious", () => {
  assert.equal(roomName("  # my room "), "my-room");
  for (const good of ["lobby", "a/b:c", "x=1+2~", "r".repeat(200)]) assert.equal(roomProblem(good), "", good);
  for (const bad of ["", "$x", "@ana", "a@b", "küche", "a#b", "r".repeat(201)]) assert.notEqual(roomProblem(bad), "", bad);
});

test("people's text is shown as text, anything else as the JSON that it is", () => {
  for (const data of ["hi", { text: "hi" }, { message: "hi" }, { content: "hi", more: 1 }]) assert.deepEqual(bodyOf({ data }), { kind: "text", text: "hi" });
  assert.deepEqual([{ a: 1 }, null, 0, [1]].map((data) => bodyOf({ data })), ['{"a":1}', "null", "0", "[1]"].map((text) => ({ kind: "code", text })));
  assert.deepEqual(bodyOf({ data: new Uint8Array(3) }), { kind: "code", text: "binary, 3 bytes" });
});

test("only web addresses become links, without the punctuation behind them", () => {
  const links = (text) => linked(text).filter(({ href }) => href).map(({ text: shown }) => shown);
  assert.deepEqual(links("see https://a.example/x?y=1, or (http://b.example)."), ["https://a.example/x?y=1", "http://b.example"]);
  assert.deepEqual(links("https://a.example/wiki/X_(y)"), ["https://a.example/wiki/X_(y)"]);
  assert.deepEqual(links("javascript:alert(1) data:text/html,x ftp://x http:// https://... http://[x"), []);
  const text = "a https://a.example b http://b.example. c";
  assert.equal(linked(text).map((piece) => piece.text).join(""), text);
});

test("names, colours and counts", () => {
  assert.deepEqual(["Ana María", "ana", "Yuki 🌿", "🌿", "", "a_b-c"].map(initials), ["AM", "A", "Y", "🌿", "?", "AC"]);
  assert.deepEqual(["Ana", " ", "", undefined, "\u200b\u2060", "\u3164", "🌿", " x "].map(seen), ["Ana", "", "", "", "", "", "🌿", " x "]);
  assert.equal(hueOf("anon-1"), hueOf("anon-1"));
  assert.ok(new Set([...Array(200).keys()].map((n) => hueOf(`anon-${n}`))).size === 8);
  assert.equal(people(["Ana", "Ben"]), "Ana and Ben");
  assert.equal(people(["A", "B", "C", "D"]), "A, B, and 2 others");
  assert.equal(textLength("👋é"), 2);
  assert.deepEqual(["🎉", "👩‍👩‍👧 👍🏽", "🎉🎉🎉🎉", "12", "ok 🎉", ""].map(isJumbo), [true, true, false, false, false, false]);
});

const said = (n, more = {}) => ({ kind: "message", id: `e.${n}.c`, pos: `e.${n}.c`, from: { user: "ben" }, ts: n * 1000, state: "sent", body: { kind: "text", text: `m${n}` }, ...more });
const texts = ({ items }) => items.map((line) => line.body?.text ?? line.kind);

test("a message that comes twice stands there once", () => {
  const room = new Conversation("lobby");
  assert.ok(room.receive(said(1)));
  assert.equal(room.receive(said(1)), null);
  assert.deepEqual(texts(room), ["m1"]);
});

test("an own message takes its place in the room's order when it comes back", () => {
  const room = new Conversation("lobby");
  const mine = typed("mine", { user: "ana" });
  room.pending.push(mine);
  room.receive(said(1));
  room.receive(said(2, { key: mine.key, own: true, from: { user: "ana" } }));
  room.receive(said(3));
  assert.deepEqual(texts(room), ["m1", "mine", "m3"]);
  assert.deepEqual([room.pending, room.items[1], mine.state], [[], mine, "sent"]);
});

test("behind a gap stands what the server still has, then what came live, each once", () => {
  const room = new Conversation("lobby");
  for (const n of [1, 2]) room.receive(said(n));
  room.addGap("expired", "e.9.c");
  for (const n of [10, 11]) room.receive(said(n));
  room.refill([2, 7, 8, 9, 10].map((n) => said(n)));
  assert.deepEqual(texts(room), ["m1", "m2", "gap", "m7", "m8", "m9", "m10", "m11"]);
  assert.equal(room.position, "e.9.c");
});

test("what was accepted and never came back stands before the gap", () => {
  const room = new Conversation("lobby");
  const mine = Object.assign(typed("mine", { user: "ana" }), { state: "sent", accepted: true });
  room.pending.push(mine);
  room.addGap("epoch", "f.0.c");
  room.refill([said(1)]);
  assert.deepEqual([texts(room), room.pending], [["mine", "gap", "m1"], []]);
});

test("private messages of both inboxes stand in the order of the server's clock", () => {
  const direct = new Conversation("@ben", "ben");
  direct.receive(said(1));
  direct.receive(said(5));
  const mine = typed("mine", { user: "ana" });
  direct.pending.push(mine);
  direct.accept(mine, { pos: "i.1.c", ts: 3000 });
  assert.deepEqual(texts(direct), ["m1", "mine", "m5"]);
});

test("a long room keeps its newest 1000 lines and knows that there is more", () => {
  const room = new Conversation("lobby");
  for (let n = 1; n <= 1005; n++) room.receive(said(n));
  assert.deepEqual([room.items.length, room.items[0].pos, room.earlier], [1000, "e.6.c", true]);
});

test("somebody is typing until 4 seconds have passed or the message is there", () => {
  const room = new Conversation("lobby");
  room.sawTyping({ user: "ben", name: "Ben" }, 0);
  room.sawTyping({ user: "cleo" }, 1000);
  assert.deepEqual(room.typists(3999), { names: ["Ben", "cleo"], next: 4000 });
  assert.deepEqual(room.typists(4000), { names: ["cleo"], next: 5000 });
  room.receive(said(1, { from: { user: "cleo" } }));
  assert.deepEqual(room.typists(4001), { names: [], next: Infinity });
});

test("who came is one line, and in a crowd none", () => {
  const room = new Conversation("lobby");
  room.count = 3;
  room.notice("joined", "Ana", 0);
  room.notice("joined", "Ben", 1000);
  room.notice("left", "Ana", 2000);
  assert.deepEqual(room.items.map(({ verb, names }) => [verb, names]), [["joined", ["Ana", "Ben"]], ["left", ["Ana"]]]);
  room.count = 21;
  room.notice("joined", "Cleo", 3000);
  assert.equal(room.items.length, 2);
});

test("storage that the browser refuses lasts as long as the page", () => {
  const refusing = { getItem: () => { throw new Error("no"); }, setItem: () => { throw new Error("no"); } };
  for (const storage of [refusing, null]) {
    const saved = new Saved(storage);
    saved.save("name", "Ana");
    assert.equal(saved.load("name", ""), "Ana");
    assert.equal(saved.load("other", "x"), "x");
  }
});
