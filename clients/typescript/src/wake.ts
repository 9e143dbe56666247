/** How often the clock is looked at, and how far it must have run ahead for the machine to have slept. */
const lookMs = 5_000;
const sleptMs = 10_000;

/** What a page or a worker has of `window`, as far as it is needed here. */
interface Surroundings {
  addEventListener?(type: string, listener: () => void): void;
  removeEventListener?(type: string, listener: () => void): void;
  document?: Surroundings & { visibilityState?: string };
}

/**
 * Calls `woke` when a connection may have died unseen, or may be possible again: when the network is back, when the
 * page is looked at again, and when the clock has jumped because the machine slept. Returns a function that ends this.
 * Where there is no page, as in a worker or in Node, only what exists there counts.
 */
export function onWake(woke: () => void): () => void {
  const world: Surroundings = globalThis;
  const page = world.document;
  const seen = () => {
    if (page?.visibilityState === "visible") {
      woke();
    }
  };
  let looked = Date.now();
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - looked > lookMs + sleptMs) {
      woke();
    }
    looked = now;
  }, lookMs);
  world.addEventListener?.("online", woke);
  page?.addEventListener?.("visibilitychange", seen);
  return () => {
    clearInterval(timer);
    world.removeEventListener?.("online", woke);
    page?.removeEventListener?.("visibilitychange", seen);
  };
}
