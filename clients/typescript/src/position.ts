/**
 * Where a message stands in its room, `epoch.offset.check`. To an application it is a string that is kept, compared and
 * given back.
 */
export type Position = string;

/** Whether two positions belong to one life of a room's log. */
export function sameEpoch(a: Position, b: Position): boolean {
  return a.split(".")[0] === b.split(".")[0];
}

/** Whether `a` comes after `b`, of the same epoch. */
export function isAfter(a: Position, b: Position): boolean {
  return Number(a.split(".")[1]) > Number(b.split(".")[1]);
}
