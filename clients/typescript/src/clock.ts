/**
 * A clock that goes on while the machine sleeps, which `performance.now` does not everywhere, and that never goes back,
 * which `Date.now` does when it is set.
 */
export class Clock {
  #ahead = 0;
  #last = 0;

  /** Returns the time in milliseconds. */
  now(): number {
    const time = Date.now();
    if (time + this.#ahead < this.#last) {
      this.#ahead = this.#last - time;
    }
    return (this.#last = time + this.#ahead);
  }
}

/** A timer for the earliest of several times. */
export class Alarm {
  #timer?: ReturnType<typeof setTimeout>;
  readonly #ring: () => void;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings once after so many milliseconds, and not when it was to ring before. Infinity is never. */
  set(ms: number): void {
    this.clear();
    if (ms < Infinity) {
      this.#timer = setTimeout(this.#ring, Math.max(0, ms));
    }
  }

  /** Does not ring. */
  clear(): void {
    clearTimeout(this.#timer);
  }
}
