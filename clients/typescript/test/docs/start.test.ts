import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Client } from "../../src/index.js";
import { connectTo, next } from "../e2e/kit.js";
import { type Server, startServer } from "../e2e/server.js";
import { launch, open } from "./pages.js";
import { snippets } from "./snippets.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
let server: Server;
let browser: Browser;
let bob: Client;
let folder: string;
let tarball: string;

beforeAll(async () => {
  // Inside of this package the tools are found, and what the package itself has is not.
  folder = mkdtempSync(join(root, "test/docs/tmp-"));
  const [{ filename }] = JSON.parse(
    execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: root, encoding: "utf8" }),
  );
  tarball = join(folder, filename);
  server = await startServer({ args: ["--origins=*"] });
  bob = connectTo(server.url, { name: "Bob" });
  browser = await launch();
});
afterAll(async () => {
  bob?.close();
  await browser?.close();
  await server?.stop();
  rmSync(folder, { recursive: true });
});

/** Makes the project of a section, as a reader would: what it is to install comes from the tarball. */
async function project(section: string): Promise<string> {
  const here = join(folder, section.replaceAll(" ", "-"));
  mkdirSync(here);
  writeFileSync(join(here, "package.json"), '{ "private": true, "type": "module" }');
  const blocks = snippets("javascript-start.md").filter((one) => one.section === section);
  const used = new Set<string | undefined>();
  for (const { language, name, text } of blocks.filter((one) => one.language !== "sh")) {
    writeFileSync(join(here, name), text.replaceAll("localhost:8080", `127.0.0.1:${server.port}`));
    for (const [, from] of text.matchAll(/^import .* from "([^./][^/"]*)/gm)) {
      used.add(from);
    }
    if (language === "jsx") {
      used.add("react");
    }
  }
  const told = blocks.map(({ text }) => /^npm install (.*)$/m.exec(text)?.[1]?.split(" ") ?? []).flat();
  expect(new Set(told), "what is to be installed is what is used").toEqual(used);
  await promisify(execFile)("npm", ["install", "--no-audit", "--no-fund", "--offline", tarball], { cwd: here });
  return here;
}

/** Runs a command of a section in its project. */
async function run(section: string, command: RegExp, cwd: string): Promise<void> {
  const found = snippets("javascript-start.md").find((one) => one.section === section && one.language === "sh" && command.test(one.text));
  const [program, ...args] = (found?.text ?? "").trim().replace(/^npx /, "").split(" ");
  const path = `${root}/node_modules/.bin:${process.env.PATH}`;
  await promisify(execFile)(program as string, args, { cwd, env: { ...process.env, PATH: path, NODE_ENV: "production" } });
}

/** What is typed in the page reaches another client, and what that says reaches the page. */
async function chats(page: Page, name: string): Promise<void> {
  const lobby = bob.room<string>("lobby");
  await lobby.joined;
  const heard = next<{ data: string; from: { name?: string } }>(lobby, "message", (m) => m.data === `from ${name}`);
  await page.fill("input", `from ${name}`);
  await page.press("input", "Enter");
  expect((await heard).from.name).toBe("Ann");
  await lobby.publish(`to ${name}`);
  await page.waitForFunction((want) => [...document.querySelectorAll("li")].some((li) => li.textContent === want), `Bob: to ${name}`);
  await page.close();
}

test("a plain page", async () => {
  const here = await project("A plain page");
  await chats(await open(browser, readFileSync(join(here, "index.html"), "utf8")), "a plain page");
});

test("a bundler: esbuild", async () => {
  const here = await project("A bundler");
  await run("A bundler", /esbuild/, here);
  await chats(await open(browser, readFileSync(join(here, "index.html"), "utf8"), join(here, "dist")), "esbuild");
});

test("a bundler: vite", async () => {
  const here = join(folder, "A-bundler");
  await run("A bundler", /vite/, here);
  await chats(await open(browser, readFileSync(join(here, "dist/index.html"), "utf8"), join(here, "dist")), "vite");
});

test("React", async () => {
  const here = await project("React");
  await run("React", /esbuild/, here);
  const page = await open(browser, '<!doctype html><body><script type="module" src="./main.js"></script>', join(here, "dist"));
  await page.waitForFunction(() => document.querySelector("p")?.textContent?.startsWith("open, "));
  await chats(page, "react");
});

test("Node", async () => {
  const here = await project("Node");
  const command = snippets("javascript-start.md").find(({ section, text }) => section === "Node" && text.startsWith("node "));
  const [, ...args] = (command?.text ?? "").trim().split(" ");
  const bot = spawn(process.execPath, args, { cwd: here, stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void bot.kill());
  const lines = createInterface(bot.stdout)[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("here");
  const lobby = bob.room<string>("lobby");
  await lobby.joined;
  const heard = next<{ data: string }>(lobby, "message", (m) => m.data === "Bob said hello");
  await lobby.publish("hello");
  await heard;
  const ended = new Promise((resolve) => bot.on("exit", resolve));
  await lobby.publish("quit");
  expect(await ended).toBe(0);
});
