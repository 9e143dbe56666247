// One connection that comes back: the browser's WebSocket, its state, requests with replies, and nothing about rooms.

import { advice, backoff, decode, retryAfter } from "./protocol.js";
import { Liveness } from "./liveness.js";

const OPENING = 10_000; // from the start of an attempt to the welcome
const ANSWER = 10_000; // from a ping or a request to any frame
const RENEWAL = 600_000; // between two connections for the sake of a token
const STABLE = 5_000; // a connection that lived this long starts the back-off anew

/** Why a request failed. `unknown` means that the outcome is not known: the request may have been carried out. */
export class Failure extends Error {
  constructor({ code, message = "", retryable = false, retry_after = 0 }) {
    super(message || code);
    this.code = code;
    this.retryable = retryable;
    this.retryAfter = retry_after * 1000;
    this.unknown = code === "timeout" || code === "disconnected";
  }
}

/**
 * States: connecting; live; offline, with `retryAt` (Unix milliseconds); stopped, with the close `code`.
 * Options: address() and subprotocols() are asked before each attempt; onState(state); onWelcome(welcome); onPush(envelope);
 * onRefused() is told that the token was not accepted and should be forgotten.
 */
export class Connection {
  state = { phase: "connecting" };
  #options;
  #socket = null;
  #liveness = null;
  #requests = new Map();
  #lastID = 0;
  #failures = 0;
  #refused = false;
  #renewedAt = 0;
  #timers = {};

  constructor(options) {
    this.#options = options;
  }

  /** Connects now, whatever was being waited for. */
  start() {
    this.#detach();
    this.#set({ phase: "connecting", failures: this.#failures });
    const socket = new WebSocket(this.#options.address(), this.#options.subprotocols());
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.#received(decode(event.data));
    socket.onclose = (event) => this.#ended(event.code, event.reason);
    this.#socket = socket;
    this.#after("opening", OPENING, () => this.#ended(1006, ""));
  }

  /** Leaves, says so, and comes back at once, for instance under another name. */
  restart() {
    this.#detach(1000);
    this.start();
  }

  /** The token runs out: a new connection gets a new one, where it can be had; where not, this does not go in circles. */
  renew() {
    if (Date.now() - this.#renewedAt < RENEWAL) return;
    this.#renewedAt = Date.now();
    this.restart();
  }

  /**
   * The network or the page came back to life: do not wait any longer, unless the server asked for it, or make sure
   * that the line still holds.
   */
  wake() {
    if (this.state.phase === "offline" && !this.state.asked) this.start();
    this.#liveness?.probe();
  }

  /** Sends a request; the promise settles with its `ok`, or rejects with a Failure. */
  request(envelope) {
    if (this.state.phase !== "live") return Promise.reject(new Failure({ code: "disconnected", retryable: true }));
    const id = ++this.#lastID;
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject, timer: setTimeout(() => this.#late(id), ANSWER) };
      this.#requests.set(id, waiting);
      this.#socket.send(JSON.stringify({ ...envelope, id }));
    });
  }

  /** Sends something that nobody waits for; while not connected it is dropped. */
  post(envelope) {
    if (this.state.phase === "live") this.#socket.send(JSON.stringify(envelope));
  }

  #received(envelope) {
    this.#liveness?.seen();
    switch (envelope?.type) {
      case "welcome":
        return this.#welcomed(envelope);
      case "auth_required":
        return this.#stopped(4401);
      case "ping":
        return this.#socket.send('{"type":"pong"}');
      case "ok":
      case "error":
        if (envelope.id !== undefined) return this.#answered(envelope);
    }
    if (envelope) this.#options.onPush(envelope);
  }

  #welcomed(welcome) {
    clearTimeout(this.#timers.opening);
    this.#refused = false;
    this.#after("stable", STABLE, () => (this.#failures = 0));
    this.#liveness = new Liveness({
      interval: (welcome.ping_interval || 25) * 1000,
      deadline: ANSWER,
      ping: () => this.post({ type: "ping", ts: Date.now() }),
      dead: () => this.#ended(1006, ""),
    });
    this.#set({ phase: "live" });
    this.#options.onWelcome(welcome);
  }

  #answered(envelope) {
    const waiting = this.#requests.get(envelope.id);
    if (!waiting) return;
    this.#requests.delete(envelope.id);
    clearTimeout(waiting.timer);
    if (envelope.type === "ok") waiting.resolve(envelope);
    else waiting.reject(new Failure(envelope));
  }

  // No answer yet: either the line is dead, which a ping finds out, or the server owes us this one.
  #late(id) {
    this.#liveness?.probe();
    this.#requests.get(id).timer = setTimeout(() => {
      this.#answered({ type: "error", id, code: "timeout", retryable: true });
    }, ANSWER);
  }

  #ended(code, reason) {
    this.#detach();
    const next = advice(code);
    if (next === "stop" || (next === "token" && this.#refused)) return this.#stopped(code);
    if (next === "token") {
      this.#refused = true;
      this.#options.onRefused();
    }
    const asked = retryAfter(reason);
    const wait = asked || backoff(this.#failures);
    this.#failures++;
    this.#set({ phase: "offline", retryAt: Date.now() + wait, asked: asked > 0, code, failures: this.#failures });
    this.#after("retry", wait, () => this.start());
  }

  #stopped(code) {
    this.#detach(1000);
    this.#set({ phase: "stopped", code });
  }

  // Lets go of the socket, so that a close that hangs holds nothing up, and settles what was waiting for it.
  #detach(code) {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#liveness?.stop();
    this.#liveness = null;
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close(...(code ? [code] : []));
    }
    for (const { reject, timer } of this.#requests.values()) {
      clearTimeout(timer);
      reject(new Failure({ code: "disconnected", retryable: true }));
    }
    this.#requests.clear();
  }

  #after(name, wait, then) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = setTimeout(then, wait);
  }

  #set(state) {
    this.state = state;
    this.#options.onState(state);
  }
}
