// What every test file needs: one browser, one server behind one network, and people who are cleaned up after each test.

import { after, afterEach, before } from "node:test";
import { Network } from "./network.mjs";
import { Person, launch } from "./page.mjs";
import { Server, freePort } from "./server.mjs";

/** Sets the stage for the tests of a file. `flags` go to `wireroom serve`. */
export function stage(flags = []) {
  const set = { browser: null, server: null, network: null };
  const people = [];

  before(async () => {
    set.server = await new Server(await freePort(), flags).start();
    set.network = await Network.to(set.server.port, set.server.scheme);
    set.browser = await launch();
  });

  afterEach(async () => {
    set.network.heal();
    const gone = people.splice(0);
    for (const person of gone) await person.leave();
    for (const person of gone) person.complainsAboutNothing();
  });

  after(async () => {
    await set.browser?.close();
    await set.network?.close();
    await set.server?.stop("SIGKILL");
  });

  /** Somebody who reaches the server directly; with `{ breakable: true }` over the network that a test can cut. */
  set.arrive = async (name, { room = newRoom(), breakable = false, ...options } = {}) => {
    const url = (breakable ? set.network.url : set.server.url) + "#" + room;
    const person = await Person.arrive(set.browser, url, name, options);
    people.push(person);
    return person;
  };

  return set;
}

let rooms = 0;

/** The name of a room in which no other test is. */
export function newRoom() {
  return `room-${process.pid}-${++rooms}`;
}
