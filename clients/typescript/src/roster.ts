import type { Member, Presence } from "./types.js";
import type { Envelope } from "./wire.js";

/** From so many users on the server tells their number alone. */
const mostKnown = 200;

/** Who is in a room, as far as the server tells. */
export class Roster {
  /** What is known, made anew with each change. */
  presence: Presence = { count: 0, members: [] };
  #members = new Map<string, Member>();

  /** Takes the list, or with `more` a further part of it. */
  list(count: number, members: Member[], more?: boolean): void {
    if (!more) {
      this.#members.clear();
    }
    for (const m of members) {
      this.#members.set(m.user, m);
    }
    this.#change(count);
  }

  /** Takes a push of presence, and returns whether anything has changed. */
  apply(e: Envelope): boolean {
    const { type, user, name, state, count = this.presence.count } = e;
    const known = this.#members.get(user);
    if (type === "presence") {
      this.list(count, e.members ?? []);
    } else if (type === "user_left") {
      this.#members.delete(user);
    } else if (known || type !== "state") {
      this.#members.set(user, { ...known, user, name: name ?? known?.name, state });
    } else {
      return false;
    }
    this.#change(count);
    return true;
  }

  /** Whether the server would tell more than is known. */
  get incomplete(): boolean {
    const { count, members } = this.presence;
    return count <= mostKnown && count !== members.length;
  }

  #change(count: number): void {
    this.presence = { count, members: [...this.#members.values()] };
  }
}
