// Times and numbers as people read them.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** 14:03:12 */
export const clockTime = (ts) => clock.format(ts);

/** 3 Mar 2026, 14:03:12 */
export const fullTime = (ts) => full.format(ts);

/** 5 s, 3 min, 2 h, 4 d */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** A number a second: 0, 0.3, 12, 1,204. */
export function rate(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  return value < 9.95 ? value.toFixed(1) : Math.round(value).toLocaleString();
}

/** 1 room, 2 rooms. */
export const plural = (n, one, many) => `${n.toLocaleString()} ${n === 1 ? one : many}`;

/** What the API says, as a sentence. */
export const sentence = (text) => text && text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

/** What a message has, on one line: text as it is, everything else as JSON. */
export function content({ data, bytes }) {
  if (bytes !== undefined) return `binary, ${Math.floor((bytes.replace(/=+$/, "").length * 3) / 4)} bytes`;
  return typeof data === "string" ? data : JSON.stringify(data) ?? "";
}

/** What somebody typed, as data: JSON where it is JSON, else text. */
export function typed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** How often something rose a second, between two looks at it: {value, at} each, in milliseconds; NaN after one look. */
export function rise(before, now) {
  if (!before || now.at <= before.at || now.value < before.value) return NaN;
  return ((now.value - before.value) * 1000) / (now.at - before.at);
}
