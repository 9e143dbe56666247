import type { Connection } from "./connection.js";
import { type WireroomError, asUncertain, disconnected, full, gaveUp, tooLarge } from "./errors.js";
import type { Envelope, Payload } from "./wire.js";

/** How many requests may wait for the connection. */
const mostWaiting = 1024;

/** A request whose answer somebody waits for. */
interface Call {
  envelope: object;
  payload: Payload;
  /** It may be sent twice. */
  again: boolean;
  /** Sent, and not answered. */
  onWay: boolean;
  resolve(reply: Envelope): void;
  reject(error: WireroomError): void;
}

/** The requests of a client other than publishes and joins. */
export class Calls {
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  #waiting = new Set<Call>();

  constructor(connection: Connection, timeoutMs: number) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Sends a request as soon as there is a connection, and returns the answer. One that may be sent `again` is, when the
   * connection is lost before its answer came.
   */
  ask(envelope: object, again: boolean, payload?: Payload): Promise<Envelope> {
    let timer: ReturnType<typeof setTimeout>;
    return new Promise<Envelope>((resolve, reject) => {
      const call: Call = { envelope, payload, again, onWay: false, resolve, reject };
      timer = setTimeout(() => {
        const error = gaveUp(this.#timeoutMs);
        this.#waiting.delete(call);
        call.again = false;
        reject(call.onWay ? asUncertain(error) : error);
      }, this.#timeoutMs);
      this.#take(call);
    }).finally(() => clearTimeout(timer));
  }

  /** Sends what waits. */
  opened(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) {
      this.#take(call);
    }
  }

  /** Refuses what waits, as there will be no connection any more. */
  closed(error: WireroomError): void {
    for (const call of this.#waiting) {
      call.reject(error);
    }
    this.#waiting.clear();
  }

  #take(call: Call): void {
    const { status, link_: link } = this.#connection;
    if (status.state === "closed") {
      call.reject(status.error as WireroomError);
    } else if (link) {
      this.#send(call);
    } else if (this.#waiting.size < mostWaiting) {
      this.#waiting.add(call);
    } else {
      call.reject(full());
    }
  }

  #send(call: Call): void {
    call.onWay = true;
    const sent = this.#connection.link_?.ask(call.envelope, call.payload, (reply, error) => {
      call.onWay = false;
      const { state, error: closing } = this.#connection.status;
      if (!error) {
        call.resolve(reply as Envelope);
      } else if (reply) {
        call.reject(error);
      } else if (state === "closed") {
        call.reject(asUncertain(closing as WireroomError));
      } else if (call.again) {
        this.#take(call);
      } else {
        call.reject(disconnected(true));
      }
    });
    if (!sent) {
      call.reject(tooLarge());
    }
  }
}
