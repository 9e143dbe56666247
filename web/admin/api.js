// The HTTP API of this node, with the administrator's key.

/** Why a request failed: `code` is that of the API's error, or "unreachable". */
export class Refused extends Error {
  constructor({ code, message }) {
    super(message || code);
    this.code = code;
  }
}

export class Api {
  key = "";

  /** Asks for a path below api/, with parameters of which empty ones are left out. */
  get(path, parameters = {}) {
    const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined));
    return this.#ask(`${path}${query.size ? `?${query}` : ""}`, { method: "GET" });
  }

  /** Has something done. */
  post(path, body) {
    return this.#ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  }

  async #ask(path, { headers, ...request }) {
    const response = await this.#fetch(path, { ...request, headers: { ...headers, Authorization: `Bearer ${this.key}` } });
    const answer = response.status === 204 ? {} : await response.json().catch(() => ({ code: "internal", message: response.statusText }));
    if (!response.ok) throw new Refused(answer);
    return answer;
  }

  async #fetch(path, request) {
    try {
      return await fetch(`api/${path}`, { ...request, cache: "no-store" });
    } catch {
      throw new Refused({ code: "unreachable", message: "The node does not answer." });
    }
  }
}
