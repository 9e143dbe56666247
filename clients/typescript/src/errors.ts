/** What is known of an error besides its code. */
export interface ErrorDetails {
  /** The same request may succeed later. */
  retryable?: boolean;
  /** The request may have been carried out nevertheless. */
  uncertain?: boolean;
  /** Milliseconds after which the request may succeed, where the server told. */
  retryAfterMs?: number;
  /** The field of the request that is at fault. */
  field?: string;
  /** The WebSocket close code with which the connection ended. */
  closeCode?: number;
  /** What led to this error. */
  cause?: unknown;
}

/**
 * Every error of this package. `code` is the contract, `message` is for people and may change.
 *
 * The codes of the server are those of the protocol (`forbidden`, `too_large`, `rate_limited`, ...). These are the
 * client's own:
 *
 * | code | means |
 * |---|---|
 * | `closed` | `close()` was called |
 * | `disconnected` | the connection was lost before the answer came; `uncertain` if the request was sent |
 * | `gave_up` | there was no answer within the time allowed |
 * | `outbox_full` | there is no place for the message |
 * | `left` | the room was left |
 * | `kicked` | the user was put out of the room |
 * | `invalid_data` | the data cannot be written as JSON (the server's code for data that it does not accept, too) |
 * | `unsupported` | there is no WebSocket here and no other way is allowed, or it may not be made (which is tried again, as `retryable` says, and in the other ways); or the server speaks another version of the protocol; or what was asked for needs a WebSocket, and the client is connected in another way |
 */
export class WireroomError extends Error {
  declare readonly code: string;
  declare readonly retryable: boolean;
  declare readonly uncertain: boolean;
  declare readonly retryAfterMs?: number;
  declare readonly field?: string;
  declare readonly closeCode?: number;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details);
    const { cause: _, ...rest } = details;
    Object.assign(this, { name: "WireroomError", retryable: false, uncertain: false }, rest, { code });
  }
}

/** The fields of an `error` envelope. */
interface Refusal {
  code: string;
  message: string;
  field?: string;
  retryable?: boolean;
  retry_after?: number;
}

/** Returns the error that an `error` envelope tells. */
export function refusal(e: Refusal): WireroomError {
  return new WireroomError(e.code, `${e.code}: ${e.message}`, {
    retryable: !!e.retryable,
    field: e.field,
    retryAfterMs: e.retry_after && e.retry_after * 1000,
  });
}

/** Returns the error of what was asked for over a connection that was lost. */
export function disconnected(uncertain: boolean): WireroomError {
  return new WireroomError("disconnected", "connection lost", { retryable: true, uncertain });
}

/** Returns the error of what had no answer in time; `cause` is the last refusal. */
export function gaveUp(ms: number, cause?: unknown): WireroomError {
  return new WireroomError("gave_up", `no answer within ${ms} ms`, { cause, retryable: true });
}

/** Returns the error of what has no place to wait in. */
export function full(): WireroomError {
  return new WireroomError("outbox_full", "the outbox is full", { retryable: true });
}

/** Returns the error of what the server would not take. */
export function tooLarge(): WireroomError {
  return new WireroomError("too_large", "too long for the server");
}

/** Returns e as an error whose outcome is not known. */
export function asUncertain(e: WireroomError): WireroomError {
  return e.uncertain ? e : new WireroomError(e.code, e.message, { ...e, cause: e.cause, uncertain: true });
}
