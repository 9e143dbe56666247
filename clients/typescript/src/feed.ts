import { EventStream } from "./eventstream.js";
import { type Ending, type Host, endingOf, lost, refusalOf } from "./host.js";
import type { Envelope } from "./wire.js";

/** How what the server sends to a client over HTTP comes in. After `ended`, or an abort, nothing more is called. */
export interface FeedEvents {
  /** These envelopes follow, the first ones: a room that they do not answer for goes on where it stood. */
  granted(first: Envelope[]): void;
  /** An envelope, and its text. */
  envelope(envelope: Envelope, text: string): void;
  /** The server is there. */
  alive(): void;
  ended(ending: Ending): void;
}

/** What a feed asks for: the rooms, and where the client stands in each; what of the query goes with them. */
export interface Wanted {
  rooms(): string[];
  /** `room=position`, joined by commas. */
  vector: string;
  query: [string, string][];
  /** Numbers the polls of a client, as one may be overtaken by the next; returns the newest that was answered, too. */
  number(): [number, number];
  /** Takes note that a poll was answered. */
  took(number: number): void;
}

/** Feeds the rooms until `signal` aborts or the server ends it. */
export type Feed = (host: Host, wanted: Wanted, signal: AbortSignal, events: FeedEvents) => Promise<void>;

/** How long a poll waits for something to tell, in seconds. */
const waitSeconds = 25;
/** How long after that its answer may come. */
const answerMs = 10_000;

const queryOf = ({ rooms, query }: Wanted, cursor: string): [string, string][] => [
  ...rooms().map((room) => ["room", room] as [string, string]),
  ...query,
  ...(cursor ? [["cursor", cursor] as [string, string]] : []),
];

/** Server-sent events: one answer that goes on. */
export const streamed: Feed = async (host, wanted, signal, events) => {
  let ending = lost;
  try {
    const headers = { Accept: "text/event-stream" };
    const response = await host.request("sse", queryOf(wanted, wanted.vector), { signal, headers });
    const kind = response.headers.get("Content-Type") ?? "";
    if (response.status !== 200 || !response.body || !kind.startsWith("text/event-stream")) {
      ending = await refusalOf(response);
    } else {
      ending = await read(response.body, signal, events);
    }
  } catch {
    // The network failed, or the signal has aborted.
  }
  if (!signal.aborted) {
    events.ended(ending);
  }
};

/** Reads a stream to its end, and returns why it ended. */
async function read(body: ReadableStream<Uint8Array>, signal: AbortSignal, events: FeedEvents): Promise<Ending> {
  let told = lost;
  let retryMs: number | undefined;
  const stream = new EventStream({
    alive: events.alive,
    retry: (ms) => {
      retryMs = ms;
    },
    event: ({ type, data }) => {
      const envelope = envelopeOf(data);
      if (!envelope || signal.aborted) {
        return;
      }
      if (type === "welcome") {
        // What was told before is for a client that loses its way later.
        retryMs = undefined;
      } else if (type === "draining") {
        told = endingOf(type, envelope.reconnect_after);
      }
      if (isFinal(envelope)) {
        told = endingOf(envelope.code, envelope.retry_after);
      } else {
        events.envelope(envelope, data);
      }
    },
  });
  const reader = body.getReader();
  for (;;) {
    // What the server has told before holds, however the connection ends.
    const { value } = await reader.read().catch(() => ({ value: undefined }));
    if (!value || signal.aborted) {
      break;
    }
    stream.feed(value);
  }
  const { code, reason } = told;
  return retryMs === undefined || reason.includes("retry") ? told : { code, reason: `${reason};retry=${retryMs / 1000}` };
}

/** Whether an error is about all that was asked for, and not about one room. */
function isFinal(envelope: Envelope): boolean {
  return envelope.type === "error" && envelope.room === undefined && envelope.id === undefined;
}

/** Long polls: one answer after the other. */
export const polled: Feed = async (host, wanted, signal, events) => {
  let cursor = wanted.vector;
  // The first answer comes at once, so that the client knows where it stands.
  for (let wait = 0; !signal.aborted; wait = waitSeconds) {
    const ending = await poll(wait).catch(() => lost);
    if (ending && !signal.aborted) {
      events.ended(ending);
      return;
    }
  }

  async function poll(wait: number): Promise<Ending | undefined> {
    const [number, got] = wanted.number();
    const query: [string, string][] = [...queryOf(wanted, cursor), ["wait", String(wait)], ["n", String(number)]];
    if (got > 0) {
      query.push(["got", String(got)]);
    }
    const answer = await within(wait * 1000 + answerMs, signal, async (signal) => {
      const response = await host.request("poll", query, { signal });
      return response.status === 200 ? response.json() : refusalOf(response);
    });
    if (signal.aborted || answer?.code) {
      return answer;
    }
    if (!Array.isArray(answer?.messages) || typeof answer.cursor !== "string") {
      return lost;
    }
    events.alive();
    cursor = answer.cursor;
    wanted.took(number);
    const envelopes: Envelope[] = answer.messages.filter((e: Partial<Envelope> | null) => typeof e?.type === "string");
    if (wait === 0) {
      events.granted(envelopes);
    }
    let told: Ending | undefined;
    for (const envelope of envelopes) {
      if (isFinal(envelope)) {
        return endingOf(envelope.code, envelope.retry_after);
      }
      if (envelope.type === "draining") {
        told = endingOf(envelope.type, envelope.reconnect_after);
      }
      events.envelope(envelope, JSON.stringify(envelope));
    }
    return told;
  }
};

/** Does something that a signal ends, or the time. */
export async function within<T>(ms: number, outer: AbortSignal, act: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const inner = new AbortController();
  const end = () => inner.abort();
  const timer = setTimeout(end, ms);
  outer.addEventListener("abort", end);
  if (outer.aborted) {
    end();
  }
  try {
    return await act(inner.signal);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", end);
  }
}

function envelopeOf(text: string): Envelope | undefined {
  try {
    const envelope = JSON.parse(text);
    return typeof envelope?.type === "string" ? envelope : undefined;
  } catch {
    return undefined;
  }
}
