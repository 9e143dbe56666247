import { readFileSync } from "node:fs";

/** One fenced block of a page of the documentation. */
export interface Snippet {
  section: string;
  language: string;
  /** What stands behind the language. */
  name: string;
  text: string;
}

/** Returns the blocks of a page, in order. */
export function snippets(page: string): Snippet[] {
  const text = readFileSync(new URL(`../../../../docs/${page}`, import.meta.url), "utf8");
  const all: Snippet[] = [];
  let section = "";
  for (const [, heading, language, name, body] of text.matchAll(/^## (.*)$|^```(\w+) ?(.*)\n([\s\S]*?)^```$/gm)) {
    section = heading ?? section;
    if (language) {
      all.push({ section, language, name: name as string, text: body as string });
    }
  }
  return all;
}

/** Returns the one block of a section. */
export function snippet(page: string, section: string, name: string): string {
  const found = snippets(page).filter((one) => one.section === section && one.name === name);
  if (found.length !== 1) {
    throw new Error(`${found.length} blocks ${name} in ${section} of ${page}`);
  }
  return found[0]?.text as string;
}
