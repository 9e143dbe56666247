/** What the end of a connection means for the next one. */
export interface Verdict {
  /** `stop`: do not come back; `renew`: come back with another token; `again`: come back. */
  advice: "stop" | "renew" | "again";
  /** Milliseconds after which the server wants the client back, instead of the back-off. */
  waitMs?: number;
  /** The reason without its `retry`. */
  reason: string;
}

/** Nobody is sent away for longer than that. */
const longestWaitMs = 600_000;

/** Returns the milliseconds of a number of seconds that a server told, within bounds. */
export function waitOf(seconds: number): number | undefined {
  return seconds >= 0 ? Math.min(seconds * 1000, longestWaitMs) : undefined;
}

/**
 * Reads a close code and its reason, such as `draining;retry=3.2` (docs/protocol.md, section 15): 44xx stops, 45xx comes
 * back. 1000, and the codes of RFC 6455, section 7.4.1, that mean a bug in what was sent, stop as well.
 */
export function judge(code: number, reason: string): Verdict {
  const verdict: Verdict = { advice: "again", reason: "" };
  verdict.reason = reason.replace(/;?retry=([^;]*)/, (_, seconds) => {
    verdict.waitMs = waitOf(parseFloat(seconds));
    return "";
  });
  if (code === 4401 || code === 4501) {
    verdict.advice = "renew";
  } else if (/^(44..|100[023789])$/.test(`${code}`)) {
    verdict.advice = "stop";
  }
  return verdict;
}
