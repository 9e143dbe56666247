// The published client, and a new one when this page is somebody else from now on.

import { connect } from "../parts/client/wireroom.js";

const RENEWAL = 12 * 3600_000; // an anonymous user's token lives a day; a new client is given a new one

/**
 * States: connecting; live; offline, with `retryAt` (Unix milliseconds); stopped, with `refused` where the token that was kept
 * was not accepted; the latter two with the close `code`.
 * `failures` counts those in a row. Options: identity() is asked before each client, for {name, token, inbox};
 * saved() returns the token that is kept, forget() is told that it was not accepted; onState(state); onClient(client) gets
 * each client before it is connected; onWelcome(welcome).
 */
export class Connection {
  state = { phase: "connecting", failures: 0 };
  client = null;
  #options;
  #connect;
  #given = "";
  #refused = false;
  #renewal = 0;

  constructor(options, connectWith = connect) {
    this.#options = options;
    this.#connect = connectWith;
  }

  /** Connects now and anew, whatever was being waited for. */
  start() {
    const { name, inbox } = this.#options.identity();
    const before = this.client;
    this.client = null;
    before?.close();
    let asked = false;
    this.#refused = false;
    const client = this.#connect("ws", {
      name: name || undefined, inbox, retryForMs: 240_000,
      token: () => {
        const saved = this.#token(asked);
        asked = true;
        return saved;
      },
    });
    this.client = client;
    this.#set({ phase: "connecting", failures: this.state.failures });
    client.on("state", (status) => client === this.client && this.#changed(status));
    this.#options.onClient(client);
  }

  // A client asks at first; while it is live, as the token will expire; and when it was refused.
  #token(asked) {
    const saved = this.#options.saved();
    const refused = asked && this.state.phase !== "live" && saved === this.#given;
    if (refused) this.#options.forget();
    this.#refused ||= refused && saved !== "";
    this.#given = refused ? "" : saved;
    return this.#given || undefined;
  }

  #changed({ state, failures, retryMs, error }) {
    const code = error?.closeCode;
    if (state === "closed") return this.#set({ phase: "stopped", code, failures, refused: this.#refused });
    if (state === "open") return this.#welcomed(this.client.welcome);
    if (retryMs === undefined) return this.#set({ phase: "connecting", failures });
    this.#set({ phase: "offline", retryAt: Date.now() + retryMs, code, failures });
  }

  #welcomed(welcome) {
    clearTimeout(this.#renewal);
    if (welcome.token) {
      this.#given = welcome.token;
      this.#renewal = setTimeout(() => this.start(), RENEWAL);
    }
    this.#options.onWelcome(welcome);
    this.#set({ phase: "live", failures: 0 });
  }

  #set(state) {
    this.state = state;
    this.#options.onState(state);
  }
}
