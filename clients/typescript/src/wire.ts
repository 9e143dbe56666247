import { WireroomError } from "./errors.js";

/** A payload as it travels: JSON text, bytes, or none. */
export type Payload = string | Uint8Array<ArrayBuffer> | undefined;

/** An envelope of the server, of any type. */
// Everything in it comes from outside; what is used is looked at where it is used.
export type Envelope = Record<string, any> & { type: string };

const encoder = new TextEncoder();

/** Returns a byte in two hexadecimal digits. */
export function hex(byte: number): string {
  return (byte + 256).toString(16).slice(1);
}

/** Returns the UTF-8 of a text, each byte as a character. */
function binary(text: string): string {
  return String.fromCharCode(...encoder.encode(text));
}

/** Encodes data for its way: bytes as they are, in a copy; all else as JSON. Throws `invalid_data` if that is impossible. */
export function encode(data: unknown): string | Uint8Array<ArrayBuffer> {
  if (data instanceof ArrayBuffer || ArrayBuffer.isView(data)) {
    const { buffer = data, byteOffset, byteLength } = data as Uint8Array;
    return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength).slice();
  }
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(data);
  } catch (error) {
    cause = error;
  }
  if (text === undefined) {
    throw new WireroomError("invalid_data", `${typeof data} that is no JSON`, { cause });
  }
  return text;
}

/** Returns how many bytes a text or a frame has. */
export function sizeOf(frame: string | Uint8Array): number {
  return typeof frame === "string" ? encoder.encode(frame).length : frame.length;
}

/**
 * Writes a frame: an envelope in text with the payload as its `data`, or a binary frame for bytes,
 * `uint16 length of the envelope | envelope | bytes` (docs/protocol.md, section 13). Returns undefined for an envelope
 * whose length does not fit there.
 */
export function write(envelope: object, payload?: Payload): string | Uint8Array<ArrayBuffer> | undefined {
  const text = JSON.stringify(envelope);
  if (payload === undefined) {
    return text;
  }
  if (typeof payload === "string") {
    return `${text.slice(0, -1)},"data":${payload}}`;
  }
  const head = encoder.encode(text);
  if (head.length > 0xffff) {
    return undefined;
  }
  const frame = new Uint8Array(2 + head.length + payload.length);
  new DataView(frame.buffer).setUint16(0, head.length);
  frame.set(head, 2);
  frame.set(payload, 2 + head.length);
  return frame;
}

/** Reads a frame; undefined for one that is no envelope. Bytes become the envelope's `data`. */
export function read(frame: unknown): Envelope | undefined {
  try {
    if (typeof frame === "string") {
      return known(JSON.parse(frame));
    }
    const bytes = new Uint8Array(frame as ArrayBuffer);
    const end = 2 + new DataView(frame as ArrayBuffer).getUint16(0);
    const envelope = known(JSON.parse(new TextDecoder().decode(bytes.subarray(2, end))));
    if (envelope && end <= bytes.length) {
      envelope.data = bytes.slice(end);
      return envelope;
    }
  } catch {
    // A frame that cannot be read is left aside, as the protocol says.
  }
}

/** Returns a value that is an envelope. */
function known(value: any): Envelope | undefined {
  return typeof value?.type === "string" ? value : undefined;
}

/** Makes the `bytes` of a message, base64 as in a history, its `data`. */
export function unpack<Message extends { data?: unknown; bytes?: string }>(message: Message): Message {
  if (message.bytes !== undefined) {
    message.data = Uint8Array.from(atob(message.bytes), (c) => c.charCodeAt(0));
    delete message.bytes;
  }
  return message;
}

/** Returns the name of a user's inbox: bytes outside `A-Z a-z 0-9 _ . -` are written `~hh` (section 18). */
export function inboxOf(user: string): string {
  return `@${binary(user).replace(/[^\w.-]/g, (c) => `~${hex(c.charCodeAt(0))}`)}`;
}

/** Returns a token as a subprotocol, in base64url where it is no token of RFC 7230 (section 4). */
export function subprotocolOf(token: string): string {
  if (/^(?!b64\.)[\w!#$%&'*+.^`|~-]+$/.test(token)) {
    return `auth.${token}`;
  }
  return `auth.b64.${btoa(binary(token)).replace(/[+/=]/g, (c) => ({ "+": "-", "/": "_" })[c] ?? "")}`;
}
