// Writes docs/javascript-api.md, the reference of the package, from its declaration files: `npm run api`. What stands there
// is what an editor shows, as both come from the comments of the source.
import { readFileSync, realpathSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const dist = new URL("../dist/esm/", import.meta.url);
const page = new URL("../../../docs/javascript-api.md", import.meta.url);

/** The entries of the package, with the declaration files that have what each exports. */
const entries = [
  ["wireroom", "Rooms, private messages and requests over one connection.", ["client", "room", "emitter", "types", "backoff", "position", "errors"]],
  ["wireroom/websocket", "A `WebSocket` that comes back, for any server. It is the default export, too.", ["websocket"]],
  ["wireroom/react", "Hooks for React 18 and later.", ["react"]],
];

/** Returns the text of a comment without its stars. */
function textOf(comment) {
  return comment
    .replace(/^\s*\/\*\*\s?|\s*\*\/\s*$/g, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\*( |$)/, ""))
    .join("\n")
    .trim();
}

/** Splits declarations, at one depth of indent, into comment and code. */
function declarations(text, indent) {
  const found = [];
  let comment = "";
  let code = [];
  let inComment = false;
  const flush = () => {
    if (code.length > 0) {
      found.push({ comment: textOf(comment), code: code.join("\n") });
      comment = "";
    }
    code = [];
  };
  for (const line of text.split("\n")) {
    if (inComment || line.startsWith(`${indent}/**`)) {
      if (!inComment) {
        flush();
        comment = "";
      }
      comment += `${line}\n`;
      inComment = !line.trimEnd().endsWith("*/");
      continue;
    }
    if (line.startsWith(indent) && !/^\s/.test(line.slice(indent.length)) && line.trim() !== "" && !/^[})]/.test(line.slice(indent.length))) {
      flush();
    }
    if (line.trim() !== "") {
      code.push(line.slice(indent.length));
    }
  }
  flush();
  return found;
}

/** The names that an entry exports. */
function exported(name) {
  const index = readFileSync(new URL(`${name === "wireroom" ? "index" : name.slice(9)}.d.ts`, dist), "utf8");
  return (declared) => name !== "wireroom" || /^types$/.test(declared.file) || new RegExp(`\\b${declared.name}\\b`).test(index);
}

/** Returns what a declaration file exports. */
function read(file) {
  const text = readFileSync(new URL(`${file}.d.ts`, dist), "utf8");
  const rank = ["function", "class", "interface", "type", "const"];
  return declarations(text, "")
    .filter(({ code }) => /^export (declare |interface |type \w+[^{]* =|type \w+<)/.test(code))
    .map(({ comment, code }) => {
      const [, kind, name] = /^export (?:declare )?(?:abstract )?(class|interface|function|type|const) (\w+)/.exec(code);
      return { file, comment, code: code.replace(/^export (declare )?/, ""), kind, name };
    })
    .sort((a, b) => rank.indexOf(a.kind) - rank.indexOf(b.kind));
}

/** Writes one declaration. */
function write({ comment, code, kind, name }) {
  const lines = code.split("\n");
  const opens = (kind === "class" || kind === "interface") && lines.length > 1;
  const head = opens ? lines[0].replace(/ \{$/, "") : code;
  const out = [`### ${name}`, "", "```ts", head, "```", ""];
  if (comment) {
    out.push(comment, "");
  }
  if (!opens) {
    return out.join("\n");
  }
  const members = declarations(lines.slice(1, -1).join("\n"), "    ").filter(({ code }) => !/^#private|^\[Symbol/.test(code));
  for (const { comment, code } of members) {
    const signature = code.replace(/\s+/g, " ").replace(/;$/, "");
    out.push(`- \`${signature}\`${comment ? `\n\n  ${comment.replace(/\n(?=.)/g, "\n  ")}\n` : ""}`);
  }
  return `${out.join("\n")}\n`;
}

/** Returns the reference. */
export function reference() {
  const out = [
    "# Reference of the JavaScript client",
    "",
    "Written from the declaration files of the package by `npm run api` in [clients/typescript](../clients/typescript), as of",
    "the comments there. How to begin is in [Getting started](javascript-start.md), whole programs in",
    "[JavaScript](javascript.md).",
    "",
  ];
  const sections = entries.map(([name, about, files]) => {
    const all = files.flatMap(read).filter(exported(name));
    return { name, about, all };
  });
  for (const { name, all } of sections) {
    out.push(`**${name}**: ${all.map((d) => `[${d.name}](#${d.name.toLowerCase()})`).join(", ")}`, "");
  }
  for (const { name, about, all } of sections) {
    out.push(`## ${name}`, "", about, "", ...all.map(write));
  }
  return `${out.join("\n").trimEnd()}\n`;
}

if (realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  writeFileSync(page, reference());
}
