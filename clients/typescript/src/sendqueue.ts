/** What a `WebSocket` sends. */
export type Sendable = string | ArrayBufferLike | Blob | ArrayBufferView;

/** Returns data as it is now: what the application changes later does not change it. */
export function copyOf(data: Sendable): Sendable {
  if (typeof data === "string" || (typeof Blob !== "undefined" && data instanceof Blob)) {
    return data;
  }
  if (ArrayBuffer.isView(data)) {
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  }
  return typeof (data as ArrayBuffer)?.slice === "function" ? (data as ArrayBuffer).slice(0) : String(data);
}

function sizeOf(data: Sendable): number {
  if (typeof data === "string") {
    return new TextEncoder().encode(data).length;
  }
  return "size" in data ? data.size : data.byteLength;
}

/** What waits to be sent, in bounds. */
export class SendQueue {
  /** The size of it all. */
  bytes = 0;
  readonly #most: number;
  readonly #mostBytes: number;
  #waiting: { data: Sendable; size: number }[] = [];

  constructor(most: number, mostBytes: number) {
    this.#most = most;
    this.#mostBytes = mostBytes;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Takes data, or throws a `QuotaExceededError` if there is no place. */
  push(data: Sendable): void {
    const size = sizeOf(data);
    if (this.#waiting.length >= this.#most || this.bytes + size > this.#mostBytes) {
      throw new DOMException("too much waits for the connection", "QuotaExceededError");
    }
    this.#waiting.push({ data, size });
    this.bytes += size;
  }

  /** Sends it all, or as much as the socket takes. */
  flush(socket: WebSocket): void {
    for (let first; (first = this.#waiting[0]) && socket.readyState === 1; this.#waiting.shift()) {
      socket.send(first.data as string);
      this.bytes -= first.size;
    }
  }

  clear(): void {
    this.#waiting = [];
    this.bytes = 0;
  }
}
