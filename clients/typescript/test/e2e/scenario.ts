import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Where the scenarios are kept, and what travels in each. */
const folder = fileURLToPath(new URL("../../../../conformance/scenarios", import.meta.url));

/** Any JSON object. */
export type Json = Record<string, any>;

/** A conversation of some clients with one server: conformance/scenarios says what its parts mean. */
export interface Scenario {
  name: string;
  server?: Json;
  except?: Record<string, string>;
  steps: Step[];
}

/** One thing that happens. */
export interface Step {
  open?: string;
  user?: string;
  roles?: string[];
  expires?: number;
  as?: string;
  send?: Json;
  bytes?: string;
  reply?: Json;
  see?: Json;
  past?: boolean;
  cut?: boolean;
  close?: boolean;
  app?: string;
  room?: string;
  target?: string;
}

/** Returns all scenarios, in the order of their files. */
export function loadScenarios(): Scenario[] {
  const files = readdirSync(`${folder}/data`).filter((name) => name.endsWith(".json"));
  return files.sort().flatMap((name) => JSON.parse(readFileSync(`${folder}/data/${name}`, "utf8")));
}

/** What a client was told, and which. */
export interface Told {
  who: string;
  envelope: Json;
}

/** Returns what the clients of a scenario are told, in order; what varies is `…`. */
export function loadGolden(name: string): Told[] {
  const told: Told[] = [];
  for (const line of readFileSync(`${folder}/golden/${name}.txt`, "utf8").split("\n")) {
    const [, who, text] = /^(\w+)< (.*)$/.exec(line) ?? [];
    if (who && text) {
      told.push({ who, envelope: JSON.parse(text.replaceAll(":…", ':"…"')) });
    }
  }
  return told;
}

/** What the words of a scenario stand for in one run of it. */
export class Words {
  /** Ends the names of this run. */
  readonly tag = Math.random().toString(36).slice(2, 10);
  #captured = new Map<string, any>();

  /** Returns text with names of this run. */
  name(text: string): string {
    return text.replace(/\{([a-z][a-z0-9]*)\}/g, `$1-${this.tag}`);
  }

  /** Returns what is sent for a text: names and captured values in their places. */
  fill(value: any): any {
    if (typeof value === "string") {
      return /^\$[a-z0-9]+~?$/.test(value) ? this.#known(value) : this.name(value);
    }
    if (Array.isArray(value)) {
      return value.map((element) => this.fill(element));
    }
    return isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, part]) => [key, this.fill(part)])) : value;
  }

  #known(word: string): any {
    const value = this.#captured.get(word.replace("~", ""));
    if (value === undefined) {
      throw new Error(`${word} is sent before it was received`);
    }
    return word.endsWith("~") ? value.slice(0, -1) + (value.endsWith("0") ? "1" : "0") : value;
  }

  /** Returns how what arrived differs from what is expected, or nothing. */
  differs(want: any, got: any): string | undefined {
    if (isObject(want)) {
      return this.#objectDiffers(want, got);
    }
    if (Array.isArray(want)) {
      if (!Array.isArray(got) || got.length !== want.length) {
        return `${JSON.stringify(got)}, want ${want.length} elements`;
      }
      return first(want.map((element, i) => this.differs(element, got[i])));
    }
    if (typeof want !== "string" || !want.startsWith("$")) {
      return same(typeof want === "string" ? this.name(want) : want, got);
    }
    if (want !== "$" && this.#captured.has(want)) {
      return same(this.#captured.get(want), got);
    }
    this.#captured.set(want, got);
    return undefined;
  }

  #objectDiffers(want: Json, got: any): string | undefined {
    if (!isObject(got)) {
      return `${JSON.stringify(got)}, want an object`;
    }
    for (const [key, value] of Object.entries(want).filter(([key]) => key !== "...")) {
      const difference = key in got ? this.differs(value, got[key]) : "is not there";
      if (difference) {
        return `${key}: ${difference}`;
      }
    }
    const more = Object.keys(got).filter((key) => !(key in want));
    return more.length > 0 && !want["..."] ? `there is ${more}` : undefined;
  }
}

/** Compares what clients tell with golden files: whatever is told must stand there, in the same place. */
export class Golden {
  /** What positions and clients of the file are in this run, and the other way round. */
  #pairs = new Map<string, string>();
  readonly #tag: string;

  constructor(words: Words) {
    this.#tag = `-${words.tag}`;
  }

  /** Returns how what was told differs from the file, or nothing. `byCode` compares errors by that alone. */
  differs(want: Told, told: Told, byCode: boolean): string | undefined {
    if (want.who !== told.who) {
      return `${told.who} is told, want ${want.who}`;
    }
    const { type, code } = told.envelope;
    return this.#partDiffers(want.envelope, byCode && type === "error" ? { type, code } : told.envelope);
  }

  #partDiffers(want: any, got: any, name?: string): string | undefined {
    if (Array.isArray(got) && Array.isArray(want)) {
      return same(want.length, got.length) ?? first(got.map((element, i) => this.#partDiffers(want[i], element)));
    }
    if (isObject(got) && isObject(want)) {
      return first(Object.entries(got).map(([key, value]) => {
        const difference = this.#partDiffers(want[key], value, key);
        return difference && `${key}: ${difference}`;
      }));
    }
    if (want === "…" || (typeof want === "string" && want.endsWith("-…"))) {
      return undefined;
    }
    if (typeof got !== "string" || typeof want !== "string") {
      return same(want, got);
    }
    const [, offset, check] = /^[a-z2-7]{8}\.(\d+)\.([0-9a-f]{8})$/.exec(got) ?? [];
    if (offset && check) {
      const [, wantOffset, wantCheck] = /^epoch\.(\d+)\.(\w+)$/.exec(want) ?? [];
      return same(wantOffset, offset) ?? (wantCheck === "0" ? same("00000000", check) : this.#paired(wantCheck, check));
    }
    return name === "client" ? this.#paired(want, got) : same(want, got.replaceAll(this.#tag, ""));
  }

  /** Returns whether a word of the file stands for another one than before in this run. */
  #paired(want: string | undefined, got: string): string | undefined {
    const [there, here] = [`want ${want}`, `got ${got}`];
    if (!this.#pairs.has(there) && !this.#pairs.has(here)) {
      this.#pairs.set(there, here).set(here, there);
    }
    return same(here, this.#pairs.get(there));
  }
}

function isObject(value: any): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function same(want: any, got: any): string | undefined {
  return Object.is(want, got) ? undefined : `${JSON.stringify(got)}, want ${JSON.stringify(want)}`;
}

function first(differences: (string | undefined)[]): string | undefined {
  return differences.find((difference) => difference !== undefined);
}
