import { hex } from "./wire.js";

/** Why a request was not served, as a close of a WebSocket would say it. */
export interface Ending {
  code: number;
  reason: string;
  /** The error code with which the server refuses every room that was asked for. */
  rooms?: string;
}

/** What the error codes of the protocol are as close codes; the others of a server mean that a request makes no sense. */
const closeCodes: Record<string, number> = {
  unauthorized: 4401,
  token_expired: 4501,
  forbidden: 4403,
  internal: 4500,
  timeout: 4500,
  draining: 4503,
  engine_unavailable: 4504,
  storage_full: 4504,
  overloaded: 4508,
  rate_limited: 4529,
};

/** The network or something in it ended the request. */
export const lost: Ending = { code: 1006, reason: "" };

/** Returns what an error that a server has told means for the connection. */
export function endingOf(code: string, retrySeconds?: number): Ending {
  const retry = retrySeconds === undefined || !(retrySeconds >= 0) ? "" : `;retry=${retrySeconds}`;
  return { code: closeCodes[code] ?? 4400, reason: code + retry };
}

/** Bytes of a token that a header may have. */
const headerToken = /^[\x21-\x7e]+$/;

/** Where a server is, and who asks. */
export class Host {
  token: string | undefined;
  /** Names this client over all of its requests: 128 random bits. */
  readonly client = Array.from(crypto.getRandomValues(new Uint8Array(16)), hex).join("");
  readonly #address: URL;

  /** `address` is that of the WebSocket; the others stand beside it. */
  constructor(address: string, token: string | undefined) {
    this.#address = new URL(address);
    this.#address.protocol = this.#address.protocol.replace("ws", "http");
    this.token = token;
  }

  /**
   * Sends a request, with the client's name unless the query has another one. Rejects when the network fails or the
   * signal aborts.
   */
  request(path: string, query: [string, string][], init: RequestInit): Promise<Response> {
    const url = new URL(path, this.#address);
    url.search = this.#address.search;
    // A stream is kept alive by comments, which are seen here.
    url.searchParams.delete("heartbeat");
    url.searchParams.set("client", this.client);
    for (const [key, value] of query) {
      if (key === "client") {
        url.searchParams.delete(key);
      }
      url.searchParams.append(key, value);
    }
    const headers: Record<string, string> = {};
    if (this.token && headerToken.test(this.token)) {
      headers.Authorization = `Bearer ${this.token}`;
    } else if (this.token) {
      url.searchParams.set("token", this.token);
    }
    return fetch(url, { ...init, headers: { ...headers, ...init.headers }, cache: "no-store" });
  }
}

/** Returns why a request was not served: what the server says, or that something else answered in its place. */
export async function refusalOf(response: Response): Promise<Ending> {
  let code = response.headers.get("Wireroom-Error") ?? undefined;
  let retry = Number(response.headers.get("Retry-After") ?? Number.NaN);
  const text = await response.text().catch(() => "");
  try {
    const told = JSON.parse(text);
    code = typeof told.code === "string" ? told.code : code;
    retry = told.retry_after ?? retry;
  } catch {
    // No words of the server's own.
  }
  if (response.status === 204) {
    return { ...endingOf(code ?? "forbidden"), rooms: code ?? "forbidden" };
  }
  if (response.status === 401) {
    code ??= "unauthorized";
  }
  return code ? endingOf(code, retry) : lost;
}
