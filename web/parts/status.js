// What a page says of its connection.

import { byID, setText } from "./dom.js";

const TOKEN = "This server asks for an access token.";
const CLOSED = "This server does not let you in.";

const REASONS = {
  4401: TOKEN,
  4403: CLOSED,
  4503: "The server is restarting.",
  4504: "The server is catching its breath.",
  4529: "Too many connections. The server asked us to wait.",
  unauthorized: TOKEN,
  auth_timeout: TOKEN,
  forbidden: CLOSED,
};

/** Why a connection ended, by its close code or the code of the error; undefined where that says nothing to people. */
export const reasonOf = (code) => REASONS[code];

/** Why a connection ended that is not tried again. */
export const whyStopped = (code) => reasonOf(code) ?? `The server ended the connection (${code}).`;

/**
 * Draws how the connection is: connecting, live, offline until `retryAt` (Unix milliseconds), or stopped. When the time is
 * over the client tries, and says nothing until it knows.
 */
export function drawStatus({ phase, retryAt }) {
  const seconds = phase === "offline" ? Math.max(0, Math.ceil((retryAt - Date.now()) / 1000)) : 0;
  setText(byID("countdown"), seconds ? `${seconds} s` : "");
  setText(byID("status-text"), { connecting: "Connecting", live: "Live", offline: seconds ? "Offline" : "Connecting", stopped: "Stopped" }[phase]);
}
