/** For how long it is believed that a way to a server is blocked. */
const hourMs = 3_600_000;

/** What worked, by the key of the server: of this page or program, and of this tab. */
const known = new Map<string, string>();

/** The tab's storage, where there is one that may be used. */
function storage(): Storage | undefined {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;
  }
}

/** Returns which way to a server worked when a better one did not, if that is not long ago. */
export function recall(key: string): string | undefined {
  const [name, at] = (known.get(key) ?? storage()?.getItem(key) ?? "").split(" ");
  return Date.now() - Number(at) < hourMs ? name : undefined;
}

/** Keeps which way to a server works, when a better one does not; without a name there is no better one. */
export function remember(key: string, name?: string): void {
  const text = `${name} ${Date.now()}`;
  try {
    if (name) {
      known.set(key, text);
      storage()?.setItem(key, text);
    } else {
      known.delete(key);
      storage()?.removeItem(key);
    }
  } catch {
    // A storage that is full or forbidden is none.
  }
}
