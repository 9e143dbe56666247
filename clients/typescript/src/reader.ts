import { Alarm } from "./clock.js";
import type { WireroomError } from "./errors.js";
import { distance } from "./position.js";
import type { Room } from "./room.js";
import type { Gap, Message } from "./types.js";

/** After that the history is asked again that does not have yet what was seen live, or could not answer. */
const againMs = 1_000;

/**
 * Reads a room in order, each message once, as fast as it is asked. A reader for which 1,024 messages wait falls behind:
 * it drops what comes and reads it from the room's history later, until it has come up with the room. What the history
 * does not have any more is a gap.
 */
export function read<T>(room: Room<T>): AsyncIterableIterator<Message<T> | Gap> {
  const queue: (Message<T> | Gap)[] = [];
  /** Where the queue ends, and while behind, where the room is. */
  let { position } = room;
  let head: string | undefined;
  /**
   * What `head` was when history was asked; empty once the log has become another one since then: the page that is on
   * its way may be of the one before.
   */
  let asked: string | undefined;
  let ended = room.stage === "left";
  let { error } = room;
  let wake = () => {};
  const alarm = new Alarm(() => wake());

  const push = (item: Message<T> | Gap) => {
    if (ended && !head) {
      return; // a page came after the reader was broken off
    }
    // An ephemeral message that is the first stands where the room was joined.
    position = item.pos ?? position ?? room.position;
    queue.push(item);
    wake();
  };
  const take = (item: Message<T> | Gap) => {
    if (/epoch|diverged/.test((item as Gap).reason)) {
      asked = "";
    } else if (distance(item.pos, position) <= 0) {
      return; // The history may be ahead of what comes live: what it has told is not told again.
    }
    if (head || queue.length >= 1024) {
      // An ephemeral message, which is in no history, is lost to a reader that is behind.
      head = item.pos ?? head;
    } else {
      push(item);
    }
  };
  const end = (cause?: typeof error) => {
    ended = true;
    error = cause;
    stops.forEach((stop) => stop());
    wake();
  };
  const stops = [room.on("message", take), room.on("gap", take), room.on("left", end)];

  /**
   * Reads a page of what was dropped. Returns for how long to wait before the history is asked again that had nothing;
   * below 0 where it is not to be had.
   */
  const catchUp = async () => {
    asked = head;
    try {
      const { messages, pos, more, refused } = await room.history({ since: position, limit: 500 });
      if (refused) {
        push({ type: "gap", room: room.name, reason: refused, pos });
        // Of the log that it was in there is no more to wait for, unless something came meanwhile.
        head = head === asked ? pos : head;
      }
      messages.forEach(push);
      position = pos;
      if (asked && !more && distance(head, position) <= 0) {
        head = undefined;
      }
      return head && !queue[0] ? againMs : 0;
    } catch (cause) {
      const refusal = cause as WireroomError;
      return refusal.retryable ? refusal.retryAfterMs || againMs : -1;
    }
  };

  const reading = (async function* () {
    for (;;) {
      while (queue[0]) {
        yield queue.shift() as Message<T> | Gap;
      }
      const waitMs = head ? await catchUp() : Infinity;
      if (waitMs > 0 && !ended) {
        alarm.set(waitMs);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        alarm.clear();
      } else if (waitMs && head) {
        // What was dropped is lost to this reader, and it is told so.
        push({ type: "gap", room: room.name, reason: "lagged", pos: head });
        head = undefined;
      } else if (waitMs) {
        if (error) {
          throw error;
        }
        return;
      }
    }
  })();
  const { return: finish } = reading;
  // One that waits ends as well, and one that has not begun listens no more.
  reading.return = (value) => {
    head = undefined;
    end();
    return finish.call(reading, value);
  };
  return reading;
}
