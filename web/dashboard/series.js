// The readings of one room and one machine, in order of time: what came live and what was read from the room's log.

const KEPT = 1200;
const APART = 4000; // milliseconds between two readings that are no line any more: nobody looked meanwhile

export class Series {
  /** {ts, pos, data}, oldest first. */
  points = [];

  /** Takes a message in, wherever its place is; returns whether it was new. */
  add({ ts, pos, data }) {
    let at = this.points.length;
    while (at > 0 && this.points[at - 1].ts > ts) at--;
    if (at > 0 && this.points[at - 1].ts === ts) return false;
    this.points.splice(at, 0, { ts, pos, data });
    if (this.points.length > KEPT) this.points.shift();
    return true;
  }

  get last() {
    return this.points.at(-1);
  }

  /** The reading before the last, if they follow each other. */
  get previous() {
    const before = this.points.at(-2);
    return before && this.last.ts - before.ts < APART ? before : undefined;
  }

  clear() {
    this.points = [];
  }

  /**
   * What a chart draws: [times in seconds, values of each figure...] from a time on, with a hole where nobody looked;
   * null is no value. One point before that time is part of it, so that the line comes in from the side.
   */
  columns(figures, from = 0) {
    const first = Math.max(0, this.points.findIndex(({ ts }) => ts >= from) - 1);
    const columns = [[], ...figures.map(() => [])];
    let before = Infinity;
    for (const { ts, data } of this.points.slice(first)) {
      if (ts - before > APART) push(columns, (before + 1) / 1000, figures.map(() => null));
      push(columns, ts / 1000, figures.map(({ of }) => finite(of(data))));
      before = ts;
    }
    return columns;
  }
}

function push(columns, time, values) {
  columns[0].push(time);
  values.forEach((value, n) => columns[n + 1].push(value));
}

const finite = (value) => (Number.isFinite(value) ? value : null);
