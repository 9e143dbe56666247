// Notices a connection that died without saying so: a browser does not show protocol pings, so the page asks itself.

/** Pings when nothing came for a while, and calls `dead` when the answer stays away. Any frame counts as life. */
export class Liveness {
  #interval;
  #deadline;
  #ping;
  #dead;
  #seenAt = Date.now();
  #idleTimer = 0;
  #deadTimer = 0;

  /** interval and deadline are milliseconds; ping sends one; dead is called at most once. */
  constructor({ interval, deadline, ping, dead }) {
    this.#interval = interval;
    this.#deadline = deadline;
    this.#ping = ping;
    this.#dead = dead;
    this.#watch(interval);
  }

  /** A frame came. */
  seen() {
    this.#seenAt = Date.now();
    clearTimeout(this.#deadTimer);
    this.#deadTimer = 0;
  }

  /** Asks now, for instance after the machine woke up. */
  probe() {
    if (this.#deadTimer) return;
    this.#deadTimer = setTimeout(() => {
      this.stop();
      this.#dead();
    }, this.#deadline);
    this.#ping();
  }

  stop() {
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#deadTimer);
  }

  #watch(wait) {
    this.#idleTimer = setTimeout(() => {
      const idle = Date.now() - this.#seenAt;
      if (idle >= this.#interval) this.probe();
      this.#watch(idle >= this.#interval ? this.#interval : this.#interval - idle);
    }, wait);
  }
}
