import type { WireroomError } from "./errors.js";
import type { Published } from "./types.js";
import { type Payload, hex } from "./wire.js";

/** A message that was given to `publish` and is not settled. */
export interface Publication {
  readonly room: string;
  /** The envelope without id, producer and seq. */
  readonly envelope: { readonly ephemeral?: boolean; readonly key?: string };
  readonly payload: Payload;
  /** What it counts in the outbox. */
  readonly size: number;
  readonly deadline: number;
  /** With `seq` its number, given when it is first written. */
  producer?: string;
  seq?: number;
  /** Nothing of its lane was unsettled in front of it when it was last written. */
  first?: boolean;
  /** There is no answer to the newest attempt yet. */
  onWay?: boolean;
  /** How often it was written. */
  writes: number;
  /** An attempt may have succeeded unseen. */
  uncertain?: boolean;
  settled?: boolean;
  /** The newest refusal. */
  last?: WireroomError;
  resolve(published: Published): void;
  reject(error: WireroomError): void;
}

/** Returns a name for a series of numbers: 128 random bits. */
function newProducer(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), hex).join("");
}

/** Takes the numbers of publications back under which nothing was stored. */
function unnumber(all: Publication[]): void {
  for (const p of all) {
    p.producer = undefined;
    p.uncertain = false;
  }
}

/**
 * The publications to one room, which the server must store in their order. Several are on their way at once. When
 * one is refused, all behind it are, as their numbers do not follow; the lane then waits until each is answered
 * and begins again from the first that is not settled (go-back-N).
 *
 * A number never stands for two messages: a message keeps its number as long as an attempt may have succeeded, and a new
 * one is given only where the server has said that nothing was stored under the old one. So it does not matter when the
 * bytes of an old connection reach the server late.
 */
export class Lane {
  queue: Publication[] = [];
  /** So many of the queue were written. */
  sent = 0;
  /** Of those, so many are not answered. */
  inFlight = 0;
  rewind = false;
  /** Nothing is written before. */
  hold = 0;
  /** Refusals in a row. */
  tries = 0;
  #producer = newProducer();
  /** The newest number that was given. */
  #seq = 0;

  /** Returns the publication to be written now; or when there may be one, Infinity for when something else happens. */
  next(now: number): Publication | number {
    if (this.rewind && this.inFlight === 0) {
      this.rewind = false;
      this.sent = 0;
    }
    const p = this.queue[this.sent];
    if (this.rewind || !p) {
      return Infinity;
    }
    if (now < this.hold) {
      return this.hold;
    }
    return this.inFlight === 0 || this.#follows(p, this.queue[this.sent - 1] as Publication) ? p : Infinity;
  }

  /** Whether the server cannot store p when it refuses `last`, which is on its way: their numbers are of one series. */
  #follows(p: Publication, last: Publication): boolean {
    return !p.envelope.key && !last.envelope.key && last.producer === (p.producer ?? this.#producer);
  }

  /** Gives p its number, if it has none and needs one, and takes note that it is on its way. */
  written(p: Publication): void {
    if (!p.envelope.key && !p.producer) {
      p.producer = this.#producer;
      p.seq = ++this.#seq;
    }
    p.first = this.sent === 0;
    p.onWay = true;
    p.writes++;
    this.sent++;
    this.inFlight++;
  }

  /** Takes note that p is not on its way any more. */
  landed(p: Publication): void {
    if (p.onWay) {
      p.onWay = false;
      this.inFlight--;
    }
  }

  /** Takes p, which is not on its way, out of the lane. */
  remove(p: Publication): void {
    const i = this.queue.indexOf(p);
    if (i >= 0) {
      this.queue.splice(i, 1);
      this.sent -= i < this.sent ? 1 : 0;
    }
  }

  /** Takes p out of the lane without waiting for an answer. */
  abandon(p: Publication): void {
    p.uncertain ||= p.onWay;
    this.landed(p);
    this.remove(p);
  }

  /** Takes p out after it was refused for good. The messages behind it have numbers that can follow on nothing now. */
  drop(p: Publication): void {
    const behind = this.#behind(p);
    this.remove(p);
    this.rewind = true;
    if (p.producer !== this.#producer) {
      return;
    }
    if (p.writes <= 1 && behind.length === 0 && p.seq === this.#seq) {
      this.#seq--;
      return;
    }
    this.#renew();
    if (p.writes <= 1) {
      unnumber(behind);
    }
  }

  /** Takes the news that nothing was stored under p's number, because the one before is missing. */
  outOfOrder(p: Publication): void {
    p.uncertain = false;
    if (!p.first || !p.producer) {
      return;
    }
    const all = [p, ...this.#behind(p)];
    if (p.producer === this.#producer) {
      this.#renew();
    }
    unnumber(all);
  }

  /** Makes the lane begin again with the next connection. */
  disconnected(): void {
    for (const p of this.queue) {
      p.uncertain ||= p.onWay;
      p.onWay = false;
    }
    this.sent = this.inFlight = this.hold = this.tries = 0;
    this.rewind = false;
  }

  /** Returns the publications whose numbers follow that of p. */
  #behind(p: Publication): Publication[] {
    return this.queue.filter((q) => q.producer === p.producer && (q.seq as number) > (p.seq as number));
  }

  #renew(): void {
    this.#producer = newProducer();
    this.#seq = 0;
  }
}
