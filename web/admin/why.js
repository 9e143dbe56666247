// Why somebody did not get a message: a question, and what each node answers.

import { byID, el, setText } from "../parts/dom.js";
import { fullTime, sentence } from "./format.js";

/** In a few words what became of a message; good: it arrived. */
const WORDS = {
  delivered: ["Delivered", "good"],
  late: ["Delivered late", "good"],
  behind: ["Behind", "warn"],
  excluded: ["Not for this client", "warn"],
  latest: ["Replaced by a newer one", "warn"],
  ephemeral: ["Not stored, and not there", "warn"],
  gap: ["Gone before it could be had", "bad"],
  no_permission: ["Not allowed", "bad"],
  limited: ["Beyond a limit", "bad"],
  kicked: ["Put out of the room", "bad"],
  disconnected: ["Disconnected", "bad"],
  left: ["Had left", "warn"],
  not_joined: ["Not in the room", "warn"],
  unknown: ["Not known", "warn"],
};

const POSITION = /^[a-z2-7]{8}\.\d+\.[0-9a-f]{8}$/;
const UNITS = { s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

export class WhyView {
  #api;
  #asked = 0;

  constructor(api) {
    this.#api = api;
    byID("why-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#ask();
    });
  }

  /** Shows the form, filled with what is known; asks if that is all of it. */
  open(user = "", room = "", when = "") {
    for (const [id, value] of [["why-user", user], ["why-room", room], ["why-when", when]]) if (value) byID(id).value = value;
    this.#clear();
    if (user && room && when) this.#ask();
    else (user ? byID("why-room") : byID("why-user")).focus();
  }

  async refresh() {} // it answers when it is asked

  #clear() {
    this.#asked += 1;
    byID("answer").hidden = true;
    setText(byID("why-problem"), "");
  }

  async #ask() {
    this.#clear();
    const mine = this.#asked;
    const [user, room, when] = ["why-user", "why-room", "why-when"].map((id) => byID(id).value.trim());
    const message = meant(when, Date.now());
    if (!user || !room || !message) {
      setText(byID("why-problem"), !user ? "Whose message is it?" : !room ? "In which room?" : "A time is 5m (ago), 14:03:12 or 2026-03-14 14:03; a position is what stands at the end of a message.");
      return;
    }
    try {
      const answer = await this.#api.get("why", { user, room, ...message });
      if (mine === this.#asked) this.#show(answer);
    } catch (error) {
      if (mine === this.#asked) setText(byID("why-problem"), sentence(error.message));
    }
  }

  #show({ reason, text, stored, ts, pos, event, node, client, nodes }) {
    const [words, tone] = wordsOf(reason);
    byID("answer").hidden = false;
    byID("answer").dataset.tone = tone;
    setText(byID("answer-reason"), words);
    setText(byID("answer-text"), text);
    const facts = [`published ${fullTime(ts)}`, stored && `at ${pos}`, event && `event ${event}`, client && `client ${client}`, nodes.length > 1 && `says ${node}`];
    setText(byID("answer-facts"), facts.filter(Boolean).join(" · "));
    const others = nodes.flatMap(({ node: from, findings }) => findings.filter((found) => found.text !== text || from !== node).map((found) => ({ from, ...found })));
    byID("answer-others-title").hidden = others.length === 0;
    byID("answer-others").replaceChildren(...others.map(({ from, reason: why, text: said }) => el("li", {},
      el("strong", {}, wordsOf(why)[0]), el("span", {}, said), el("small", {}, nodes.length > 1 && `node ${from}`))));
  }
}

const wordsOf = (reason) => WORDS[reason] ?? [reason, "warn"];

/** The parameters that name a message, of what somebody typed; undefined where it is neither a position nor a time. */
export function meant(text, now) {
  if (POSITION.test(text)) return { pos: text };
  const ago = /^(\d+)\s*(s|min|m|h|d)( ago)?$/.exec(text);
  if (ago) return { ts: now - Number(ago[1]) * UNITS[ago[2]] };
  const today = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text);
  if (today) return { ts: new Date(now).setHours(Number(today[1]), Number(today[2]), Number(today[3] ?? 0), 0) };
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? undefined : { ts: at };
}
