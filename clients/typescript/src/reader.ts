import type { WireroomError } from "./errors.js";
import { distance } from "./position.js";
import type { Room } from "./room.js";
import type { Gap, Message } from "./types.js";

/** How much waits for a slow reader before it falls behind, and how much it reads at once then. */
const most = 1024;
const page = 500;
/** After that the history is asked again that does not have yet what was seen live, or could not answer. */
const againMs = 1_000;

/**
 * Reads a room in order, each message once, as fast as it is asked. A reader for which 1,024 messages wait falls behind:
 * it drops what comes and reads it from the room's history later, until it has come up with the room. What the history
 * does not have any more is a gap.
 */
export function read<T>(room: Room<T>): AsyncIterableIterator<Message<T> | Gap> {
  let queue: (Message<T> | Gap)[] = [];
  /** Where the queue ends, and while behind, where the room is. */
  let { position } = room;
  let head: string | undefined;
  let ended = room.stage === "left";
  let { error } = room;
  let wake = () => {};

  const push = (item: Message<T> | Gap) => {
    position = item.pos ?? position;
    queue.push(item);
    wake();
  };
  const take = (item: Message<T> | Gap) => {
    // The history may be ahead of what comes live: what it has told is not told again.
    const steps = distance(item.pos, position);
    if (item.type === "message" ? steps <= 0 : steps < 0 && !/epoch|diverged/.test(item.reason)) {
      return;
    }
    if (head || queue.length >= most) {
      // An ephemeral message, which is in no history, is lost to a reader that is behind.
      head = item.pos ?? head;
    } else {
      push(item);
    }
  };
  const end = (cause?: typeof error) => {
    ended = true;
    error = cause;
    for (const stop of stops) {
      stop();
    }
    wake();
  };
  const stops = [
    room.on("message", take),
    room.on("gap", take),
    room.on("joined", ({ pos }) => {
      position ??= pos;
    }),
    room.on("left", end),
  ];

  /** Reads a page of what was dropped. */
  const catchUp = async () => {
    let waitMs: number | undefined;
    try {
      const { messages, pos, more, refused } = await room.history({ since: position, limit: page });
      if (refused) {
        push({ type: "gap", room: room.name, reason: refused, pos });
      }
      messages.forEach(push);
      position = more ? position : pos;
      if (!more && !(distance(head, position) > 0)) {
        head = undefined;
      } else if (!messages[0]) {
        waitMs = againMs;
      }
    } catch (cause) {
      const { retryable, retryAfterMs = againMs } = cause as WireroomError;
      if (retryable && !ended) {
        waitMs = retryAfterMs;
      } else {
        // The history is not to be had: what was dropped is lost to this reader, and it is told so.
        push({ type: "gap", room: room.name, reason: "lagged", pos: head as string });
        head = undefined;
      }
    }
    if (waitMs) {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  };

  const reading = (async function* () {
    for (;;) {
      const item = queue.shift();
      if (item) {
        yield item;
      } else if (head) {
        await catchUp();
      } else if (!ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      } else if (error) {
        throw error;
      } else {
        return;
      }
    }
  })();
  const { return: finish } = reading;
  // One that waits ends as well, and one that has not begun listens no more.
  reading.return = (value) => {
    queue = [];
    head = undefined;
    end();
    return finish.call(reading, value);
  };
  return reading;
}
