import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type Page, chromium } from "playwright-core";

const root = fileURLToPath(new URL("../..", import.meta.url));

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

/** Opens a page of a site of its own, with the files of a folder. What it takes from the CDN is the package as it is here. */
export async function open(browser: Browser, html: string, folder = ""): Promise<Page> {
  const site = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://site").pathname;
    response.setHeader("content-type", path.endsWith(".js") ? "text/javascript" : "text/html");
    response.end(path === "/" ? html : readFileSync(join(folder, path)));
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  page.on("pageerror", (error) => {
    throw error;
  });
  page.on("close", () => site.close());
  await page.route("https://unpkg.com/**", (route) => route.fulfill({ path: `${root}/dist/wireroom.min.js` }));
  await page.goto(`http://127.0.0.1:${(site.address() as { port: number }).port}/`);
  return page;
}
