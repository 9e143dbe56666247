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
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #stableMs: number;
  readonly #delay?: (n: number) => number;

  constructor(options: BackoffOptions = {}) {
    this.#baseMs = options.baseMs ?? 500;
    this.#maxMs = options.maxMs ?? 20_000;
    this.#stableMs = options.stableMs ?? 5_000;
    this.#delay = options.delay;
  }

  /** Tells how long a connection was open. */
  lasted(ms: number): void {
    if (ms >= this.#stableMs) {
      this.failures = 0;
    }
  }

  /**
   * Counts one failure and returns the milliseconds to wait. The whole of the wait is random, so that clients that were
   * cut off together do not come back together.
   */
  next(): number {
    const n = this.failures++;
    return this.#delay ? Math.max(0, this.#delay(n)) : Math.random() * Math.min(this.#maxMs, this.#baseMs * 2 ** n);
  }
}
