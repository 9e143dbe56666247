import { useCallback, useMemo, useSyncExternalStore } from "react";
import type { Client } from "./client.js";
import type { WireroomError } from "./errors.js";
import type { Room, RoomStage } from "./room.js";
import { type KeptRoom, Seat, noRoom } from "./roomstore.js";
import type { Gap, Member, Message, PublishOptions, Published, RoomOptions, Status } from "./types.js";

/** What `useRoom` returns. */
export interface RoomState<T = any> {
  /** The room, once the component is mounted and there is a client. */
  room: Room<T> | undefined;
  /** The newest messages, oldest first. The array is made anew with each change. */
  messages: readonly Message<T>[];
  /** The newest gap: messages before it were missed for good. */
  gap: Gap | undefined;
  stage: RoomStage;
  /** Why the room has ended. */
  error: WireroomError | undefined;
  /** `Room.publish`; always the same function for a client and a room. */
  publish(data: unknown, options?: PublishOptions): Promise<Published>;
}

/** How to join and what to keep. */
export interface UseRoomOptions extends RoomOptions {
  /** How many messages to keep. Default 200. */
  keep?: number;
}

/** Who is in a room. */
export interface PresenceState {
  readonly count: number;
  readonly members: readonly Member[];
}

const noClient: Status = { state: "connecting", failures: 0 };
const nobody: readonly Member[] = [];
const never = () => () => {};
const none = () => noRoom;

/** Returns the state of a client's connection, as it changes. Without a client it is `connecting`. */
export function useConnection(client: Client | null | undefined): Status {
  const subscribe = useCallback((changed: () => void) => (client ? client.on("state", changed) : () => {}), [client]);
  const now = () => client?.status ?? noClient;
  return useSyncExternalStore(subscribe, now, now);
}

/**
 * Is in a room as long as a component is that uses it, and returns its newest messages. Components that use the same room
 * of the same client share it, with the options of the first; it is left when the last of them is gone.
 */
export function useRoom<T = any>(
  client: Client | null | undefined,
  name: string,
  options: UseRoomOptions = {},
): RoomState<T> {
  // The options are those of the first mount: a new object with each render means nothing.
  const seat = useMemo(() => (client ? new Seat(client, name, options) : undefined), [client, name]);
  const now = seat?.now ?? none;
  const kept = useSyncExternalStore(seat?.subscribe ?? never, now, now);
  const publish = useCallback(
    (data: unknown, how?: PublishOptions) =>
      client ? client.publish(name, data, how) : Promise.reject(new TypeError("there is no client")),
    [client, name],
  );
  return useMemo(() => ({ ...(kept as KeptRoom<T>), publish }), [kept, publish]);
}

/** Returns who is in a room that was joined with `presence`: `usePresence(useRoom(client, name, { presence: true }).room)`. */
export function usePresence(room: Room | null | undefined): PresenceState {
  const subscribe = useCallback((changed: () => void) => (room ? room.on("presence", changed) : () => {}), [room]);
  const count = useSyncExternalStore(subscribe, () => room?.count ?? 0, () => 0);
  const members = useSyncExternalStore(subscribe, () => room?.members ?? nobody, () => nobody);
  return useMemo(() => ({ count, members }), [count, members]);
}
