/** When a client comes back after a connection was lost or could not be made. */
export interface BackoffOptions {
  /** The wait before attempt n (0, 1, 2, ...) is a random time below `min(maxMs, baseMs * 2^n)`. Default 500. */
  baseMs?: number;
  /** Default 20,000. */
  maxMs?: number;
  /** How long a connection must have lasted for n to start from 0 again. Default 5,000. */
  stableMs?: number;
  /** Replaces the formula: returns the milliseconds to wait before attempt n. */
  delay?: (n: number) => number;
}

/** @internal Counts failures in a row, and says how long to wait after each. */
export class Backoff {
  /** Failures since the last connection that was stable. */
  failures = 0;
  readonly #options: BackoffOptions;

  constructor(options: BackoffOptions = {}) {
    this.#options = options;
  }

  /** Tells how long a connection was open. */
  lasted(ms: number): void {
    if (ms >= (this.#options.stableMs ?? 5_000)) {
      this.failures = 0;
    }
  }

  /**
   * Counts one failure and returns the milliseconds to wait. The whole of the wait is random, so that clients that were
   * cut off together do not come back together.
   */
  next(): number {
    const n = this.failures++;
    const { baseMs = 500, maxMs = 20_000, delay } = this.#options;
    return delay ? Math.max(0, delay(n)) : Math.random() * Math.min(maxMs, baseMs * 2 ** n);
  }
}
