/** One event of a stream, as section 9.2.6 of the HTML standard reads it. */
export interface StreamEvent {
  type: string;
  data: string;
}

/** How a reader of an event stream calls up. */
export interface StreamEvents {
  event(event: StreamEvent): void;
  /** The server has said after how many milliseconds to come back. */
  retry(ms: number): void;
  /** Something came, if only a comment. */
  alive(): void;
}

/** Nothing of ours is longer: a history reply has about 1 MiB. */
const longestLine = 8 << 20;

/** Reads an event stream, in pieces of any size. */
export class EventStream {
  readonly #events: StreamEvents;
  readonly #decoder = new TextDecoder();
  #rest = "";
  /** A CR that ended the last piece: with an LF in front of the next one it is one end of a line. */
  #cr = "";
  #type = "";
  #data: string[] = [];

  constructor(events: StreamEvents) {
    this.#events = events;
  }

  /** Takes the next piece. Throws for a line that has no end. */
  feed(bytes: Uint8Array): void {
    this.#events.alive();
    const text = this.#cr + this.#decoder.decode(bytes, { stream: true });
    this.#cr = text.endsWith("\r") ? "\r" : "";
    // What came before is not looked at again: a long line comes in many pieces.
    const lines = text.slice(0, text.length - this.#cr.length).split(/\r\n|\n|\r/);
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop() as string;
    if (this.#rest.length > longestLine) {
      throw new RangeError("a line without an end");
    }
    for (const line of lines) {
      this.#line(line);
    }
  }

  #line(line: string): void {
    if (line === "") {
      if (this.#data.length > 0) {
        this.#events.event({ type: this.#type || "message", data: this.#data.join("\n") });
      }
      this.#type = "";
      this.#data = [];
      return;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line) as unknown as [string, string, string];
    if (field === "data") {
      this.#data.push(value);
    } else if (field === "event") {
      this.#type = value;
    } else if (field === "retry" && /^\d+$/.test(value)) {
      this.#events.retry(Number(value));
    }
  }
}
