// A person in front of the chat page: a browser profile of their own, and the things that people do.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const PATIENCE = 15_000;

/** The system's Chromium; CHROMIUM names another one. */
export async function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  try {
    return await chromium.launch({ executablePath, args: FLAGS });
  } catch (cause) {
    throw new Error(`no browser at ${executablePath}: install the package chromium, or set CHROMIUM to one`, { cause });
  }
}

export class Person {
  /** What the browser complained about: console errors and warnings, exceptions, violations of the policy, dialogs. */
  problems = [];

  /** Opens the page at `url` (with a #room) in a new profile; with a name, goes through the welcome and waits to be live. */
  static async arrive(browser, url, name, options = {}) {
    const person = new Person();
    person.name = name;
    person.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en-GB", ...options });
    person.context.setDefaultTimeout(PATIENCE);
    await person.#open(url);
    if (!name) return person;
    await person.page.fill("#name", name);
    await person.page.press("#name", "Enter");
    await person.live();
    return person;
  }

  /** The same browser profile in a second tab, at the same address; it is closed with the first. */
  async secondTab() {
    const tab = new Person();
    Object.assign(tab, { name: this.name, context: this.context, problems: this.problems });
    await tab.#open(this.page.url());
    return tab;
  }

  async leave() {
    await this.context.close();
  }

  /** Fails if the browser complained about anything that is not the network. */
  complainsAboutNothing() {
    const own = this.problems.filter((text) => !/WebSocket connection to|net::ERR_|status of 401/.test(text));
    assert.deepEqual(own, []);
  }

  async phase(...wanted) {
    await this.page.waitForFunction((phases) => phases.includes(document.getElementById("app").dataset.phase), wanted);
  }

  /** Waits until the page is connected and in its room. */
  async live() {
    await this.phase("live");
    await this.page.waitForFunction(() => !/Joining/.test(document.getElementById("subtitle").textContent));
  }

  /** Waits for the same, and tries at once whenever the page waits for the next attempt. */
  async comesBack() {
    await this.page.waitForFunction(() => {
      const { phase } = document.getElementById("app").dataset;
      if (phase === "offline") document.getElementById("banner-action").click();
      return phase === "live";
    });
    await this.live();
  }

  async user() {
    return this.page.textContent("#my-id");
  }

  async say(text) {
    await this.page.fill("#text", text);
    await this.page.press("#text", "Enter");
  }

  async join(room) {
    await this.page.fill("#join-room", room);
    await this.page.press("#join-room", "Enter");
    await this.page.waitForFunction((name) => document.getElementById("title").textContent === name, room);
    await this.live();
  }

  /** Opens a conversation of the left column, by its id. */
  async open(id) {
    await this.page.click(`.row[data-id="${id}"] .row-open`);
    await this.page.waitForSelector(`.row[data-id="${id}"].active`);
  }

  /** Opens the private conversation with somebody who is in the room. */
  async writeTo(person) {
    await this.page.click(`.person[data-user="${await person.user()}"] button`);
    await this.page.waitForFunction((name) => document.getElementById("title").textContent === name, person.name);
  }

  /** The lines of the visible conversation: what people said, as `{from, text, state}`, in order. */
  async lines() {
    return this.page.$$eval(".message", (nodes) => nodes.map((node) => ({
      from: node.querySelector(".message-said").textContent.split(",")[0],
      text: (node.querySelector(".text") ?? node.querySelector("code")).textContent,
      state: ["sending", "waiting", "sent", "failed"].find((state) => node.classList.contains(state)),
    })));
  }

  async texts() {
    return (await this.lines()).map(({ text }) => text);
  }

  /** Waits until a line with that text is there, and returns all texts. */
  async sees(text) {
    await this.page.waitForFunction((wanted) => [...document.querySelectorAll(".message .text, .message code")].some((node) => node.textContent === wanted), text);
    return this.texts();
  }

  /** Waits until everything that was typed here was accepted. */
  async allSent() {
    await this.page.waitForFunction(() => !document.querySelector(".message.sending, .message.waiting"));
  }

  /** Waits until an element has exactly this text. */
  async shows(selector, text) {
    await this.page.waitForFunction(([at, wanted]) => document.querySelector(at)?.textContent === wanted, [selector, text]);
  }

  /** Names of the people column, in order. */
  async people() {
    return this.page.$$eval(".person bdi", (nodes) => nodes.map((node) => node.textContent));
  }

  async hasPeople(...names) {
    const wanted = [...names].sort();
    await this.page.waitForFunction(
      (list) => JSON.stringify([...document.querySelectorAll(".person bdi")].map((node) => node.textContent).sort()) === list,
      JSON.stringify(wanted),
    );
  }

  async #open(url) {
    this.page = await this.context.newPage();
    await this.#listen();
    await this.page.goto(url);
  }

  async #listen() {
    this.page.on("console", (message) => ["error", "warning"].includes(message.type()) && this.problems.push(message.text()));
    this.page.on("pageerror", (error) => this.problems.push(String(error)));
    this.page.on("dialog", (dialog) => {
      this.problems.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    await this.page.exposeFunction("violated", (text) => this.problems.push(text));
    await this.page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => window.violated(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
  }
}
