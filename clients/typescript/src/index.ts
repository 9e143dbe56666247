/**
 * The client of Wireroom: real-time rooms that recover every missed message.
 *
 * @packageDocumentation
 */
export type { BackoffOptions } from "./backoff.js";
export { Client, type ClientEvents, connect } from "./client.js";
export type { Emitter } from "./emitter.js";
export { type ErrorDetails, WireroomError } from "./errors.js";
export type { Position } from "./position.js";
export type { Room, RoomEvents, RoomStage } from "./room.js";
export type * from "./types.js";
