import { vi } from "vitest";

/** One request of a client, answered by the test. */
export interface Asked {
  path: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  body: any;
  aborted: boolean;
  /** Answers at once with a body. */
  answer(status: number, body?: unknown, headers?: Record<string, string>): Promise<void>;
  /** Begins a stream, or goes on with it. */
  event(type: string, envelope: object): Promise<void>;
  text(text: string): Promise<void>;
  /** Ends the stream. */
  end(): Promise<void>;
  /** The network fails within the stream. */
  breaks(): Promise<void>;
  /** The network fails. */
  fail(): Promise<void>;
}

/** Takes the place of `fetch`. */
export class FakeHttp {
  readonly all: Asked[] = [];

  constructor() {
    vi.stubGlobal("fetch", (url: URL, init: RequestInit) => this.#take(url, init));
  }

  /** The newest request of a path. */
  newest(path: string): Asked {
    const asked = this.of(path).at(-1);
    if (!asked) {
      throw new Error(`nothing asked for ${path}`);
    }
    return asked;
  }

  of(path: string): Asked[] {
    return this.all.filter((asked) => asked.path === path);
  }

  #take(url: URL, init: RequestInit): Promise<Response> {
    return new Promise((resolve, reject) => {
      let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
      const settle = () => vi.advanceTimersByTimeAsync(0).then(() => {});
      const begin = () => {
        if (!stream) {
          const body = new ReadableStream<Uint8Array>({ start: (controller) => void (stream = controller) });
          resolve(new Response(body, { headers: { "content-type": "text/event-stream" } }));
        }
      };
      const asked: Asked = {
        path: url.pathname,
        query: url.searchParams,
        headers: init.headers as Record<string, string>,
        body: init.body ? JSON.parse(init.body as string) : undefined,
        aborted: false,
        answer: (status, body, headers = {}) => {
          resolve(new Response(body === undefined ? null : JSON.stringify(body), { status, headers }));
          return settle();
        },
        event: (type, envelope) => asked.text(`event: ${type}\ndata: ${JSON.stringify({ type, ...envelope })}\n\n`),
        text: (text) => {
          begin();
          stream?.enqueue(new TextEncoder().encode(text));
          return settle();
        },
        end: () => {
          begin();
          stream?.close();
          return settle();
        },
        breaks: () => {
          stream?.error(new TypeError("terminated"));
          return settle();
        },
        fail: () => {
          reject(new TypeError("failed to fetch"));
          return settle();
        },
      };
      const abort = () => {
        asked.aborted = true;
        reject(new DOMException("aborted", "AbortError"));
        try {
          stream?.error(new DOMException("aborted", "AbortError"));
        } catch {
          // It has ended.
        }
      };
      init.signal?.addEventListener("abort", abort);
      this.all.push(asked);
    });
  }
}

/** A welcome, without its type. */
export const greeting = {
  client: "c",
  user: "alice",
  inbox: "@alice",
  node: "n1",
  protocol: 1,
  ping_interval: 25,
  max_message: 1000,
  durability: "memory",
  users: 1,
  ts: 1,
};
