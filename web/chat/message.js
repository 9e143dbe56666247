// One line of a conversation: what somebody said, in whatever shape the application that sent it uses.

import { randomKey } from "./protocol.js";

/**
 * A message as the page keeps it. `id` names it for its whole life on this page, from the moment it is typed;
 * `state` is sending, waiting (for a connection), sent, or failed with `error`.
 */
export function received(envelope, me) {
  const { pos, from = {}, ts, event, key } = envelope;
  const own = from.user === me;
  return { kind: "message", id: pos ?? randomKey(), pos, from, ts, event, key: own ? key : undefined, own, state: "sent", body: bodyOf(envelope) };
}

/** A message that was typed here and has not been sent yet. */
export function typed(text, from, now = Date.now()) {
  const key = randomKey();
  return { kind: "message", id: key, key, from, ts: now, own: true, state: "waiting", error: "", body: { kind: "text", text }, attemptedAt: 0, accepted: false };
}

/** What to show of a message: people's text as text, anything else as the JSON that it is. */
export function bodyOf({ data }) {
  if (data instanceof Uint8Array) return { kind: "code", text: `binary, ${data.length} bytes` };
  const text = typeof data === "string" ? data : textIn(data);
  if (text !== undefined) return { kind: "text", text };
  return { kind: "code", text: JSON.stringify(data) ?? "(empty)" };
}

function textIn(data) {
  if (!data || typeof data !== "object") return undefined;
  return [data.text, data.message, data.content].find((text) => typeof text === "string");
}
