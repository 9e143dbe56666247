// Whether four who read a room read the same: every message once, in one order.

/** Where a message stands, as numbers and text: the offset counts the room's messages. */
const offsetOf = (pos) => Number(pos.split(".")[1]);

/** What one reader has read. */
export class Reader {
  count = 0;
  first = 0;
  last = 0;
  faults = [];

  constructor(order) {
    this.order = order;
  }

  /** Takes the next message; it returns its offset. */
  read(pos) {
    const offset = offsetOf(pos);
    if (this.count > 0 && offset <= this.last) this.faults.push(`${offset} came again`);
    if (this.count > 0 && offset > this.last + 1) this.faults.push(`${this.last + 1} to ${offset - 1} are missing`);
    if (!this.order.agrees(offset, pos)) this.faults.push(`${offset} is another message than elsewhere`);
    this.first ||= offset;
    this.last = offset;
    this.count++;
    return offset;
  }

  /** What was before is of another log, or gone: it begins anew. */
  begin() {
    this.count = this.first = this.last = 0;
  }
}

/** What all have read: the message at each offset. */
export class Order {
  #positions = new Map();

  agrees(offset, pos) {
    const known = this.#positions.get(offset);
    if (known !== undefined) return known === pos;
    this.#positions.set(offset, pos);
    if (this.#positions.size > 2000) this.#positions.delete(this.#positions.keys().next().value);
    return true;
  }
}

/** What is to be said of readers: {verdict: "waiting" | "equal" | "behind" | "broken", ...}. */
export function compare(readers) {
  const broken = readers.findIndex((reader) => reader.faults.length > 0);
  if (broken >= 0) return { verdict: "broken", reader: broken, fault: readers[broken].faults[0] };
  if (readers.some((reader) => reader.count === 0)) return { verdict: "waiting" };
  const last = Math.max(...readers.map((reader) => reader.last));
  const behind = readers.map((reader) => last - reader.last);
  if (behind.some((n) => n > 0)) return { verdict: "behind", behind };
  return { verdict: "equal", count: last - Math.max(...readers.map((reader) => reader.first)) + 1 };
}
