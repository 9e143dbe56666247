import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, type Page, chromium } from "playwright-core";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("../..", import.meta.url));

/** A web site with the script of the package, a worker, and the pages of this folder. */
export interface Site {
  origin: string;
  /** Opens a page in a browser of its own, fails the test's promise on any error of the page. */
  open(path: string): Promise<Page>;
  close(): Promise<void>;
}

/** Bundles a source of this folder against the package as it is published. */
async function bundle(name: string, format: "iife" | "esm"): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${here}/pages/${name}`],
    bundle: true,
    format,
    write: false,
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"development"' },
  });
  return outputFiles[0]?.text ?? "";
}

/** Starts a site and a browser. */
export async function startSite(): Promise<Site> {
  const html = (script: string) => `<!doctype html><meta charset="utf-8"><div id="root"></div>${script}`;
  const content: Record<string, [string, string]> = {
    "/script.html": ["text/html", html('<script src="/wireroom.min.js"></script>')],
    "/react.html": ["text/html", html('<script src="/react.js"></script>')],
    "/wireroom.min.js": ["text/javascript", readFileSync(`${root}/dist/wireroom.min.js`, "utf8")],
    "/wireroom-fallback.min.js": ["text/javascript", readFileSync(`${root}/dist/wireroom-fallback.min.js`, "utf8")],
    "/esm.html": ["text/html", html('<script type="module">import * as Wireroom from "/esm/index.js"; Object.assign(globalThis, { Wireroom });</script>')],
    "/esm/index.js": ["text/javascript", readFileSync(`${root}/dist/esm/index.js`, "utf8")],
    "/esm/fallback.js": ["text/javascript", readFileSync(`${root}/dist/esm/fallback.js`, "utf8")],
    "/react.js": ["text/javascript", await bundle("react.tsx", "iife")],
    "/worker.js": ["text/javascript", await bundle("worker.ts", "iife")],
    "/module.js": ["text/javascript", await bundle("module.ts", "esm")],
  };
  const listener = createServer((request, response) => {
    const [type, body] = content[new URL(request.url ?? "/", "http://site").pathname] ?? ["text/plain", ""];
    response.writeHead(body ? 200 : 404, { "content-type": type });
    response.end(body);
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const origin = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  const browser: Browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
  return {
    origin,
    async open(path) {
      const page = await browser.newPage();
      page.on("pageerror", (error) => {
        throw error;
      });
      await page.goto(origin + path);
      return page;
    },
    async close() {
      await browser.close();
      listener.close();
    },
  };
}
