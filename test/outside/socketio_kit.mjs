// What tests with clients of Socket.IO wait for.
import assert from "node:assert/strict";

const PATIENCE = 20_000;

/** The arguments of a socket's next event of that name. */
export const once = (socket, event) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event} in time`)), PATIENCE);
    socket.once(event, (...args) => {
      clearTimeout(timer);
      resolve(args);
    });
  });

/** Emits an event, and returns the arguments of its acknowledgement. */
export const emit = (socket, ...args) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${args[0]} was not acknowledged`)), PATIENCE);
    socket.emit(...args, (...answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
  });

/** Waits until something holds. */
export const until = async (what, holds) => {
  for (const end = Date.now() + PATIENCE; !holds(); ) {
    assert(Date.now() < end, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
