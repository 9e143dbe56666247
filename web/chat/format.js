// Times, names and numbers as people read them, in the language of their browser.

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const longDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const list = new Intl.ListFormat("en", { type: "conjunction" });

/** 14:03 */
export const clockTime = (ts) => clock.format(ts);

/** Everything about a moment, for a tooltip. */
export const fullTime = (ts) => full.format(ts);

/** A number that is the same for all moments of one local day. */
export function dayOf(ts) {
  const date = new Date(ts);
  return date.getFullYear() * 10_000 + date.getMonth() * 100 + date.getDate();
}

/** Today, Yesterday, Tuesday, 3 March, or a full date. */
export function dayName(ts, now = Date.now()) {
  if (dayOf(ts) === dayOf(now)) return "Today";
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  if (dayOf(ts) === dayOf(yesterday.getTime())) return "Yesterday";
  return (now - ts < 180 * 86_400_000 ? weekday : longDay).format(ts);
}

/** One or two letters that stand for a name. */
export function initials(name) {
  const words = name.match(/[\p{L}\p{N}]+/gu) ?? [];
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...word][0].toUpperCase()).join("") || [...name.trim()][0] || "?";
}

/** One of eight colours, the same for a user everywhere. */
export function hueOf(user) {
  let hash = 2166136261;
  for (let i = 0; i < user.length; i++) hash = Math.imul(hash ^ user.charCodeAt(i), 16777619);
  return (hash >>> 8) % 8;
}

/** Ana; Ana and Ben; Ana, Ben, and 3 others. */
export function people(names, most = 3) {
  if (names.length <= most) return list.format(names);
  const rest = names.length - most + 1;
  return list.format([...names.slice(0, most - 1), `${rest} others`]);
}

/** 1 person, 2 people. */
export const plural = (n, one, many) => `${n.toLocaleString()} ${n === 1 ? one : many}`;

/** 1 to 99, then 99+. */
export const badge = (n) => (n > 99 ? "99+" : String(n));

/** Text cut into plain pieces and web addresses: [{text, href?}]. Only http and https become links. */
export function linked(text) {
  const pieces = [];
  let at = 0;
  for (const found of text.matchAll(/https?:\/\/[^\s<>"']+/gi)) {
    const address = trimmed(found[0]);
    const href = parsed(address);
    if (!href) continue;
    pieces.push({ text: text.slice(at, found.index) }, { text: address, href });
    at = found.index + address.length;
  }
  pieces.push({ text: text.slice(at) });
  return pieces.filter((piece) => piece.text !== "");
}

// The full stop behind an address belongs to the sentence; a bracket too, unless it was opened inside.
function trimmed(address) {
  const end = address.replace(/[.,;:!?*_]+$/, "");
  return end.endsWith(")") && !end.includes("(") ? trimmed(end.slice(0, -1)) : end;
}

function parsed(address) {
  try {
    return new URL(address).href;
  } catch {
    return "";
  }
}

/** Whether a text is nothing but one to three emoji, which are shown larger. */
export function isJumbo(text) {
  return text.length <= 40 && /^(?:\s*\p{Extended_Pictographic}(?:[\u200D\uFE0F]|\p{Emoji_Modifier}|\p{Extended_Pictographic}(?<=\u200D\p{Extended_Pictographic}))*){1,3}\s*$/u.test(text);
}
