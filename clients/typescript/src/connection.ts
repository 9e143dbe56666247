import { Backoff } from "./backoff.js";
import { judge, waitOf } from "./closing.js";
import { Alarm, clock } from "./clock.js";
import { WireroomError } from "./errors.js";
import { Identity } from "./identity.js";
import { Link } from "./link.js";
import type { Ladder } from "./fallback.js";
import type { ConnectOptions, SocketClass, Status, Welcome } from "./types.js";
import { onWake } from "./wake.js";
import { type Envelope, subprotocolOf } from "./wire.js";

/** The version of the protocol that this client speaks. */
const version = 1;

/** How often a server that was heard before must not be heard at all for the WebSocket to be under suspicion. */
const suspicion = 3;

/** The other ways to connect, once one client has needed them. */
let others: Promise<typeof import("./fallback.js")> | undefined;

/** After that an attempt that goes on is given up when the network may have changed: it may be made in one that is gone. */
const staleMs = 2_000;

/** How a connection calls up. */
export interface ConnectionEvents {
  /** The server has let the client in; `link_` is there. */
  opened(welcome: Welcome): void;
  received(envelope: Envelope): void;
  /** The link that was opened is gone. */
  lost(): void;
  /** The state has changed, or an attempt has failed. */
  changed(status: Status): void;
}

/** An attempt to get a link, and the link that it became. */
interface Attempt {
  token?: string;
  /** The token goes in the first message and not in the handshake. */
  inBand?: boolean;
  link_?: Link;
  /** The handshake has succeeded; undefined before it is tried. */
  upgraded?: boolean;
  /** The token is on its way; a welcome before its answer is another user's. */
  authenticating?: boolean;
}

/** Keeps a link to the server, until it is closed or told to stay away. */
export class Connection {
  status: Status = { state: "connecting", failures: 0 };
  /** The link, while it is open. */
  link_?: Link;
  readonly #address: string;
  readonly #options: ConnectOptions;
  readonly #events: ConnectionEvents;
  readonly #identity: Identity;
  readonly #backoff: Backoff;
  readonly #now = clock();
  readonly #retry = new Alarm(() => void this.#attempt());
  readonly #impatience = new Alarm(() => this.#fail(1006, "no welcome"));
  readonly #endWake: () => void;
  #current?: Attempt;
  /** When the current attempt began, or its link was opened. */
  #since = 0;
  /** What `draining` told: when to come back, if the close does not say it. */
  #drainingMs?: number;
  /** The server told when to come back, which nothing makes earlier; or there is no coming back. */
  #waitIsTold?: boolean;
  #inBand?: boolean;
  #ladder?: Ladder;
  /** How often in a row the server was not heard at all; less than 0 after it was. */
  #misses = 0;

  constructor(address: string, options: ConnectOptions, events: ConnectionEvents) {
    this.#address = address;
    this.#options = options;
    this.#events = events;
    this.#identity = new Identity(options.token);
    this.#backoff = new Backoff(options.backoff);
    this.#endWake = onWake(() => this.wake());
    void this.#attempt();
  }

  /**
   * Asks an open link for a sign of life, and makes the next attempt now unless the server has told when, in the place of
   * one that takes long.
   */
  wake(): void {
    if (this.link_) {
      this.link_.probe();
    } else if (!this.#waitIsTold && (!this.#current || this.#now() - this.#since > staleMs)) {
      this.#lose({ ...this.status, retryMs: undefined });
      // Whoever listens may have closed the client.
      if (!this.#waitIsTold) {
        void this.#attempt();
      }
    }
  }

  /** Ends it all. */
  close(error: WireroomError): void {
    if (this.status.state === "closed") {
      return;
    }
    this.#waitIsTold = true;
    this.#retry.clear();
    this.#endWake();
    this.#lose({ state: "closed", failures: this.#backoff.failures, error }, 1000);
  }

  /** Fetches a new token and sends it, as the one of this link is about to expire. */
  async #renew(link: Link): Promise<void> {
    if (!this.#identity.renewable) {
      return;
    }
    try {
      const token = await this.#identity.fetch();
      if (token && link === this.link_) {
        link.ask({ type: "auth", token }, undefined, () => {});
      }
    } catch {
      // The server closes the link when the token expires, and the next one begins with a new token.
    }
  }

  async #attempt(): Promise<void> {
    this.#retry.clear();
    this.#waitIsTold = false;
    this.#since = this.#now();
    const attempt: Attempt = { inBand: this.#inBand };
    this.#current = attempt;
    this.#impatience.set(this.#options.connectTimeoutMs ?? 15_000);
    try {
      attempt.token = await this.#identity.next();
    } catch (cause) {
      if (attempt === this.#current) {
        this.#fail(1006, "", new WireroomError("unauthorized", "no token", { cause, retryable: true }));
      }
      return;
    }
    if (attempt === this.#current) {
      await this.#dial(attempt);
    }
  }

  /** Returns what to connect with. */
  async #choose(token: string | undefined): Promise<SocketClass> {
    const Socket = this.#options.WebSocket ?? (globalThis.WebSocket as SocketClass);
    const { transports } = this.#options;
    try {
      // A client of this tab may have found the WebSocket blocked.
      const key = `wireroom ${new URL(this.#address).host}`;
      const wanted = !Socket || transports || others || this.#misses > 0 || globalThis.sessionStorage?.[key];
      if (wanted && `${transports}` !== "websocket") {
        others ??= import("./fallback.js");
        this.#ladder ??= new (await others).Ladder(this.#address, Socket, this.#options);
        return this.#ladder.next(this.#misses, token);
      }
    } catch {
      // Without the other ways, or a storage that may be read, there is the WebSocket.
      others = undefined;
    }
    return Socket;
  }

  async #dial(attempt: Attempt): Promise<void> {
    const { token, inBand } = attempt;
    const Socket = await this.#choose(token);
    if (attempt !== this.#current) {
      return;
    }
    this.#impatience.set(this.#options.connectTimeoutMs ?? (this.#misses ? 15_000 : 5_000));
    const protocols = ["wireroom.v1", ...(token && !inBand ? [subprotocolOf(token)] : [])];
    attempt.upgraded = false;
    try {
      attempt.link_ = new Link(new Socket(this.#address, protocols), {
        opened: () => {
          attempt.upgraded = true;
          if (inBand && token) {
            this.#authenticate(attempt);
          }
        },
        received: (envelope) => this.#received(attempt, envelope),
        ended: (code, reason) => {
          if (attempt === this.#current) {
            this.#fail(code, reason);
          }
        },
      });
    } catch (cause) {
      // What may not be made now is a way that is blocked; what does not exist never will.
      const error = new WireroomError("unsupported", "no WebSocket", { cause, retryable: !!Socket });
      if (attempt === this.#current) {
        this.#fail(Socket ? 1006 : 1000, "", error);
      }
    }
  }

  #authenticate(attempt: Attempt): void {
    attempt.authenticating = true;
    attempt.link_?.ask({ type: "auth", token: attempt.token }, undefined, (reply, error) => {
      attempt.authenticating = false;
      if (reply && error) {
        const refused = error.code === "unauthorized" || error.code === "token_expired";
        this.#fail(refused ? 4401 : error.retryable ? 4500 : 4403, error.code);
      }
    });
  }

  #received(attempt: Attempt, envelope: Envelope): void {
    switch (envelope.type) {
      case "welcome":
        if (!attempt.authenticating && !this.link_) {
          this.#welcomed(attempt, envelope as unknown as Welcome);
        }
        break;
      case "auth_required":
        if (!attempt.token) {
          this.#fail(4401, "unauthorized");
        } else if (!attempt.authenticating) {
          this.#authenticate(attempt);
        }
        break;
      case "draining":
        this.#drainingMs = waitOf(envelope.reconnect_after);
        break;
      case "token_expiring":
        void this.#renew(attempt.link_ as Link);
        break;
      default:
        if (this.link_) {
          this.#events.received(envelope);
        }
    }
  }

  #welcomed(attempt: Attempt, welcome: Welcome): void {
    if (welcome.protocol !== version) {
      this.close(new WireroomError("unsupported", `protocol ${welcome.protocol}`));
      return;
    }
    this.#impatience.clear();
    this.#identity.welcomed(welcome.token);
    this.#inBand = false;
    this.#since = this.#now();
    this.#misses = 1 - suspicion;
    const link = attempt.link_ as Link;
    link.pingMs = welcome.ping_interval * 1000 || link.pingMs;
    link.maxMessage = welcome.max_message || Infinity;
    this.link_ = link;
    this.status = { state: "open", failures: this.#backoff.failures, transport: link.transport };
    this.#events.opened(welcome);
    this.#events.changed(this.status);
  }

  /** Takes the end of the current attempt or link, and says what comes next. */
  #fail(code: number, reason: string, error?: WireroomError): void {
    const { token, upgraded, inBand } = this.#current as Attempt;
    this.#misses += upgraded !== undefined && !this.link_ && code < 4000 ? 1 : 0;
    const verdict = judge(code, reason);
    if (verdict.advice === "renew") {
      verdict.advice = this.#identity.rejected() ? "again" : "stop";
    }
    error ??= new WireroomError(
      /^[a-z_]+$/.test(verdict.reason) ? verdict.reason : "disconnected",
      `connection ended: ${code} ${verdict.reason}`,
      { closeCode: code, retryable: verdict.advice !== "stop" },
    );
    // A token that the handshake refuses looks like a server that is not there, where the status cannot be seen. So
    // after a handshake that failed the token goes in a message, whose answer can be seen.
    this.#inBand = !!token && !upgraded && !inBand;
    this.#backoff.lasted(this.link_ ? this.#now() - this.#since : 0);
    const waitMs = this.#backoff.next();
    const failures = this.#backoff.failures;
    if (verdict.advice === "stop" || failures >= (this.#options.maxAttempts ?? Infinity)) {
      this.close(error);
      return;
    }
    const told = verdict.waitMs ?? this.#drainingMs;
    const retryMs = told ?? waitMs;
    this.#waitIsTold = told !== undefined;
    this.#retry.set(retryMs);
    this.#lose({ state: "connecting", failures, retryMs, error });
  }

  /** Leaves the current attempt or link for another state. */
  #lose(status: Status, goodbye?: number): void {
    const current = this.#current;
    const wasOpen = !!this.link_;
    this.#impatience.clear();
    this.#drainingMs = this.#current = this.link_ = undefined;
    this.status = status;
    if (wasOpen) {
      this.#events.lost();
    }
    current?.link_?.end(1006, "", goodbye);
    if (status === this.status) {
      this.#events.changed(status);
    }
  }
}
