import type { ConnectOptions } from "./types.js";

/** Who a client is to the server. */
export class Identity {
  /** What to present with the next connection, where nothing has to be fetched before. */
  token?: string;
  /** The server has made the token up. */
  #anonymous = false;
  /** The next connection needs another token. */
  #stale = true;
  /** A token was taken in place of a refused one since the last welcome. */
  #renewed = false;
  readonly #source: (() => string | undefined | Promise<string | undefined>) | undefined;

  constructor(token: ConnectOptions["token"]) {
    if (typeof token === "function") {
      this.#source = token;
    } else {
      this.token = token || undefined;
    }
  }

  /** Whether `fetch` can return something else than there is. */
  get renewable(): boolean {
    return !!this.#source;
  }

  /** Returns the token for the next connection: at once, or a promise of it where it has to be fetched. */
  next(): string | undefined | Promise<string | undefined> {
    return this.#source && this.#stale ? this.fetch() : this.token;
  }

  /** Fetches a new token. */
  async fetch(): Promise<string | undefined> {
    const token = (await this.#source?.()) || undefined;
    // An anonymous user stays the same one until its token is refused.
    if (token || !this.#anonymous) {
      this.token = token;
      this.#anonymous = false;
    }
    this.#stale = false;
    return this.token;
  }

  /** Takes the news that the server refuses the token, and returns whether there can be another. */
  rejected(): boolean {
    if (this.#renewed || !(this.#source || this.#anonymous)) {
      return false;
    }
    this.#renewed = this.#stale = true;
    if (this.#anonymous) {
      this.#anonymous = false;
      this.token = undefined;
    }
    return true;
  }

  /** Takes the greeting, with the token of an anonymous user if it is one. */
  welcomed(token: string | undefined): void {
    this.#renewed = false;
    if (token) {
      this.token = token;
      this.#anonymous = true;
    }
  }
}
