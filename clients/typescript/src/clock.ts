/**
 * Returns a clock, in milliseconds, that goes on while the machine sleeps, which `performance.now` does not everywhere,
 * and that never goes back, which `Date.now` does when it is set.
 */
export function clock(): () => number {
  let ahead = 0;
  let last = 0;
  return () => {
    const time = Date.now();
    ahead = Math.max(ahead, last - time);
    return (last = time + ahead);
  };
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
