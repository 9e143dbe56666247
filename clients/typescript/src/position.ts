/**
 * Where a message stands in its room, `epoch.offset.check`. To an application it is a string that is kept, compared and
 * given back.
 */
export type Position = string;

/**
 * Returns by how many messages `a` is after `b`; not a number if they do not belong to one life of a room's log, and 1
 * where one of them is not known.
 */
export function distance(a: Position | undefined, b: Position | undefined): number {
  if (!a || !b) {
    return 1;
  }
  const [epoch, offset] = a.split(".");
  const [epochOfB, offsetOfB] = b.split(".");
  return epoch === epochOfB ? +(offset as string) - +(offsetOfB as string) : NaN;
}
