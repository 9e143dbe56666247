// What the page itself has to know of the protocol: names, lengths, and what its errors are called among people.

/** How many characters a chat message may have. */
export const MAX_TEXT = 500;

/** The inbox room of a user: bytes outside A-Z a-z 0-9 _ . - are written ~hh. */
export function inboxOf(user) {
  let name = "@";
  for (const byte of new TextEncoder().encode(user)) {
    const char = String.fromCharCode(byte);
    name += /[A-Za-z0-9_.-]/.test(char) ? char : "~" + byte.toString(16).padStart(2, "0");
  }
  return name;
}

/** The user whose inbox a room is; "" when the room is no inbox. */
export function userOf(room) {
  if (!room.startsWith("@")) return "";
  const bytes = [];
  for (const [, escaped, plain] of room.slice(1).matchAll(/~([0-9a-fA-F]{2})|([^~])/g)) {
    bytes.push(escaped ? parseInt(escaped, 16) : plain.charCodeAt(0));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}

/** A room's name as somebody typed it: spaces become hyphens, a leading # goes. Returns "" when nothing is left. */
export function roomName(typed) {
  return typed.trim().replace(/^#+/, "").trim().replace(/\s+/g, "-");
}

/** Why a name is no room that a person can join, or "" when it is one. */
export function roomProblem(room) {
  if (room === "") return "Type the name of a room.";
  if (room.startsWith("$")) return "Names that begin with $ are reserved.";
  if (room.includes("@")) return "@ belongs to inboxes. Pick a person from the list instead.";
  if (room.length > 200) return "A name has at most 200 characters.";
  if (!/^[A-Za-z0-9_:./=+~-]+$/.test(room)) return "Use letters A to Z, digits, and - _ . : / = + ~";
  return "";
}

/** 128 random bits as text. crypto.randomUUID is missing on plain http, so it is not used. */
export function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

/** The number of characters as a person counts them, roughly: code points, not UTF-16 units. */
export function textLength(text) {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

const SENTENCES = {
  forbidden: "You are not allowed to do that here.",
  room_limit: "You are in too many rooms. Leave one first.",
  invalid_room: "That is not a valid room name.",
  too_large: "The message is too large.",
  invalid_data: "The server did not accept this message.",
  unauthorized: "The server does not know who you are.",
  not_joined: "You are not in this room.",
  storage_full: "The server has no space left.",
  unconfirmed: "Not confirmed: it may or may not have arrived.",
};

/** An error of the protocol as a sentence for people. */
export function problemText({ code, message }) {
  return SENTENCES[code] ?? (message || "Something went wrong.");
}
