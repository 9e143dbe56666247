import { Alarm, clock } from "./clock.js";
import type { Connection } from "./connection.js";
import { type WireroomError, asUncertain, disconnected, full, gaveUp, tooLarge } from "./errors.js";
import { Lane, type Publication } from "./lane.js";
import type { ConnectOptions, PublishOptions, Published } from "./types.js";
import { type Envelope, encode, sizeOf } from "./wire.js";

/** Publishes on their way at once: at first, and at most, as a server reads no more. */
const startWindow = 64;
const mostWindow = 256;
/** Rooms whose numbers are remembered. */
const mostLanes = 1024;
/** What a publication counts besides its payload. */
const plainSize = 256;
/** How often a full socket is looked at: it does not tell when it has place again. */
const fullMs = 20;

/** Returns how long to wait after a refusal that may pass, the n-th in a row from 0 on. */
export function retryWait(error: WireroomError, n: number): number {
  return error.retryAfterMs || 50 + Math.random() * Math.min(5_000, 100 * 2 ** n);
}

/** What was given to `publish` and is not settled. */
export class Outbox {
  readonly #connection: Connection;
  readonly #most: number;
  readonly #mostBytes: number;
  readonly #waits: boolean;
  readonly #retryForMs: number;
  readonly #highWater: number;
  readonly #lowWater: number;
  readonly #now = clock();
  readonly #alarm = new Alarm(() => this.#pump());
  #lanes = new Map<string, Lane>();
  /** The lanes with something in them; the first has its turn. */
  #active: Lane[] = [];
  /** What has no place yet. */
  #queue: Publication[] = [];
  #count = 0;
  #bytes = 0;
  #inFlight = 0;
  /** Bounds what is on its way: grows with each success, is halved when the server has enough. */
  #window = startWindow;
  #full = false;
  #watchers: { until(): boolean; resolve(): void }[] = [];

  constructor(connection: Connection, options: ConnectOptions) {
    this.#connection = connection;
    this.#most = options.maxOutbox ?? 1024;
    this.#mostBytes = options.maxOutboxBytes ?? 8 << 20;
    this.#waits = options.whenFull === "wait";
    this.#retryForMs = options.retryForMs ?? 120_000;
    this.#highWater = options.highWaterBytes ?? 1 << 20;
    this.#lowWater = options.lowWaterBytes ?? this.#highWater / 4;
  }

  /** Takes a message to publish. */
  publish(room: string, data: unknown, options: PublishOptions): Promise<Published> {
    return new Promise((resolve, reject) => {
      const payload = encode(data);
      const p: Publication = {
        room,
        envelope: { ...options, type: "publish", room } as object,
        payload,
        size: sizeOf(payload) + plainSize,
        deadline: this.#now() + this.#retryForMs,
        writes: 0,
        resolve,
        reject,
      };
      this.#take(p);
    });
  }

  /** How many publishes are not settled. */
  get size(): number {
    return this.#count + this.#queue.length;
  }

  /** Resolves when nothing is left that is not settled. */
  flush(): Promise<void> {
    return this.#until(() => this.size === 0);
  }

  /** Resolves when there is place for more: less than half of the outbox is used, and the socket takes what it is given. */
  drain(): Promise<void> {
    return this.#until(
      () =>
        this.#queue.length === 0 && this.#count <= this.#most / 2 && this.#bytes <= this.#mostBytes / 2 && !this.#isFull(),
    );
  }

  /** Sends what there is. */
  opened(): void {
    this.#pump();
  }

  /** Makes everything be sent again with the next connection, save what is ephemeral. */
  disconnected(): void {
    this.#inFlight = 0;
    this.#window = startWindow;
    this.#full = false;
    for (const lane of this.#active) {
      lane.disconnected();
    }
    this.#pump();
  }

  /** Settles everything, as there will be no connection any more. */
  closed(error: WireroomError): void {
    this.#alarm.clear();
    for (const lane of [...this.#active]) {
      for (const p of [...lane.queue]) {
        lane.abandon(p);
        this.#settle(p, error);
      }
    }
    for (const p of this.#queue.splice(0)) {
      p.reject(error);
    }
    this.#look();
  }

  #take(p: Publication): void {
    const { status, link_: link } = this.#connection;
    const fits = this.#fits(p);
    if (status.state === "closed") {
      p.reject(status.error as WireroomError);
    } else if (p.envelope.ephemeral && !link) {
      p.reject(disconnected(false));
    } else if (p.envelope.ephemeral && fits && !this.#isFull()) {
      this.#count++;
      this.#bytes += p.size;
      this.#send(p);
    } else if (!p.envelope.ephemeral && fits && this.#queue.length === 0) {
      this.#add(p);
      this.#pump();
    } else if (!p.envelope.ephemeral && this.#waits && p.size <= this.#mostBytes) {
      this.#queue.push(p);
      this.#pump();
    } else {
      p.reject(full());
    }
  }

  #fits(p: Publication): boolean {
    return this.#count < this.#most && this.#bytes + p.size <= this.#mostBytes;
  }

  #add(p: Publication): void {
    this.#count++;
    this.#bytes += p.size;
    const lane = this.#lane(p.room);
    if (lane.queue.push(p) === 1) {
      this.#active.push(lane);
    }
  }

  /** Returns the lane of a room. One that was forgotten comes back with another producer, so its numbers begin anew. */
  #lane(room: string): Lane {
    let lane = this.#lanes.get(room);
    if (lane) {
      return lane;
    }
    for (const [name, { queue }] of this.#lanes) {
      if (this.#lanes.size >= mostLanes && queue.length === 0) {
        this.#lanes.delete(name);
      }
    }
    this.#lanes.set(room, (lane = new Lane()));
    return lane;
  }

  /** Does what can be done now, and sets the alarm for the rest. */
  #pump(): void {
    const now = this.#now();
    let next = this.#expire(now);
    while (this.#queue[0] && this.#fits(this.#queue[0])) {
      this.#add(this.#queue.shift() as Publication);
    }
    next = Math.min(next, this.#write(now));
    this.#look();
    if (this.#full && this.#watchers.length > 0) {
      next = Math.min(next, now + fullMs);
    }
    if (this.#connection.status.state !== "closed") {
      this.#alarm.set(next - now);
    }
  }

  /** Gives up on what was tried for long enough, and returns when that is to be looked at again. */
  #expire(now: number): number {
    let next = Infinity;
    for (const lane of [...this.#active]) {
      for (let p; (p = lane.queue[0]); ) {
        if (now < p.deadline) {
          next = Math.min(next, p.deadline);
          break;
        }
        lane.abandon(p);
        this.#settle(p, gaveUp(this.#retryForMs, p.last));
      }
    }
    for (let p; (p = this.#queue[0]); this.#queue.shift()) {
      if (now < p.deadline) {
        return Math.min(next, p.deadline);
      }
      p.reject(gaveUp(this.#retryForMs, p.last));
    }
    return next;
  }

  /** Writes what may be written, lane by lane in turn, and returns when there may be more. */
  #write(now: number): number {
    let next = Infinity;
    for (let idle = 0; this.#connection.link_ && idle < this.#active.length; ) {
      if (this.#inFlight >= this.#window) {
        return next;
      }
      if (this.#isFull()) {
        return now + fullMs;
      }
      const lane = this.#active.shift() as Lane;
      this.#active.push(lane);
      const p = lane.next(now);
      if (typeof p === "number") {
        next = Math.min(next, p);
        idle++;
      } else {
        idle = 0;
        lane.written(p);
        this.#send(p, lane);
      }
    }
    return next;
  }

  /** Whether the socket has too much that it has not sent. */
  #isFull(): boolean {
    const left = this.#connection.link_?.bufferedAmount ?? 0;
    return (this.#full = left > (this.#full ? this.#lowWater : this.#highWater));
  }

  #send(p: Publication, lane?: Lane): void {
    const { envelope, producer, payload } = p;
    const numbered = producer ? { ...envelope, producer, seq: p.seq } : envelope;
    this.#inFlight++;
    const sent = this.#connection.link_?.ask(numbered, payload, (reply, error) =>
      this.#answered(p, lane, reply, error),
    );
    if (!sent) {
      this.#inFlight--;
      lane?.landed(p);
      p.writes--;
      this.#refuse(p, lane, tooLarge());
    }
  }

  #answered(p: Publication, lane: Lane | undefined, reply?: Envelope, error?: WireroomError): void {
    if (!reply) {
      // The lanes know that the connection was lost. What is ephemeral is not sent again.
      if (!lane) {
        const { state, error: closing } = this.#connection.status;
        this.#settle(p, asUncertain(state === "closed" ? (closing as WireroomError) : disconnected(true)));
      }
      return;
    }
    this.#inFlight--;
    if (!p.settled) {
      lane?.landed(p);
      if (error) {
        this.#refused(p, lane, error);
      } else {
        this.#window = Math.min(this.#window + 1, mostWindow);
        if (lane) {
          lane.tries = 0;
          lane.remove(p);
        }
        this.#settle(p, undefined, { pos: reply.pos, ts: reply.ts });
      }
    }
    this.#pump();
  }

  /** Takes the error that answered p. */
  #refused(p: Publication, lane: Lane | undefined, error: WireroomError): void {
    p.last = error;
    if (!lane || !error.retryable) {
      this.#refuse(p, lane, error);
      return;
    }
    const rewinding = lane.rewind;
    lane.rewind = true;
    if (error.code === "out_of_order") {
      const fresh = p.seq === 1;
      lane.outOfOrder(p);
      if (!fresh) {
        return; // The next try begins with the first that is missing, and needs no waiting.
      }
    } else if (error.code === "timeout" || error.code === "internal") {
      p.uncertain = true;
    } else if (!rewinding && (error.code === "rate_limited" || error.code === "overloaded")) {
      this.#window = Math.max(1, this.#window >> 1);
    }
    lane.hold = this.#now() + retryWait(error, lane.tries++);
  }

  /** Settles p with an error that is final. */
  #refuse(p: Publication, lane: Lane | undefined, error: WireroomError): void {
    lane?.drop(p);
    this.#settle(p, error);
  }

  /** Ends p, which stands in no lane any more. */
  #settle(p: Publication, error?: WireroomError, published?: Published): void {
    p.settled = true;
    this.#count--;
    this.#bytes -= p.size;
    const i = this.#active.findIndex((lane) => lane.queue.length === 0);
    if (i >= 0) {
      this.#active.splice(i, 1);
    }
    if (error) {
      p.reject(p.uncertain ? asUncertain(error) : error);
    } else {
      p.resolve(published as Published);
    }
  }

  #until(until: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#watchers.push({ until, resolve });
      this.#pump();
    });
  }

  /** Tells those who wait for place, or for the end. */
  #look(): void {
    const closed = this.#connection.status.state === "closed";
    this.#watchers = this.#watchers.filter((watcher) => {
      const done = closed || watcher.until();
      if (done) {
        watcher.resolve();
      }
      return !done;
    });
  }
}
