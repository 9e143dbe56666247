// The network between browser and server, which a test can break: a TCP proxy on loopback.

import { connect, createServer } from "node:net";

export class Network {
  #server;
  #pairs = new Set();
  #open = true;
  #silent = false;
  #scheme;

  /** A network in front of a port. */
  static async to(port, scheme = "http") {
    const network = new Network();
    network.#scheme = scheme;
    network.#server = createServer((near) => network.#joined(near, port));
    await new Promise((resolve) => network.#server.listen(0, "127.0.0.1", resolve));
    return network;
  }

  get url() {
    return `${this.#scheme}://127.0.0.1:${this.#server.address().port}/`;
  }

  /** Cuts every connection and lets none through until `heal`. */
  cut() {
    this.#open = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  /** Ends every connection as somebody who says goodbye to TCP and to nobody else, and lets none through until `heal`. */
  hangUp() {
    this.#open = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.end();
  }

  /** Cuts one connection, any; others come through. Reports whether there was one. */
  cutOne() {
    const pairs = [...this.#pairs];
    if (pairs.length === 0) return false;
    for (const socket of pairs[Math.floor(Math.random() * pairs.length)]) socket.resetAndDestroy();
    return true;
  }

  heal() {
    this.#open = true;
    this.#silent = false;
    for (const [near, far] of this.#pairs) if (far.destroyed) near.destroy();
  }

  /** Swallows what the server says while what the browser says still arrives: answers get lost. */
  muteServer() {
    this.#silent = true;
  }

  async close() {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #joined(near, port) {
    if (!this.#open) return near.resetAndDestroy();
    const far = connect(port, "127.0.0.1");
    const pair = [near, far];
    this.#pairs.add(pair);
    near.on("data", (bytes) => far.write(bytes));
    far.on("data", (bytes) => this.#silent || near.write(bytes));
    for (const [one, other] of [pair, [far, near]]) {
      one.on("error", () => {}); // a close follows
      one.on("close", () => {
        if (this.#silent && one === far) return; // the browser does not hear of that either, until `heal`
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}
