// Where one writes: grows with the text, counts what is left, sends with Enter.

import { byID, setText } from "../parts/dom.js";
import { MAX_TEXT, textLength } from "./protocol.js";

const HINT_FROM = 400; // characters; before that nobody needs to think about the limit

/** actions: send(text), typing(). */
export class ComposerView {
  #store;
  #actions;
  #input = byID("text");
  #shown = "";

  constructor(store, actions) {
    this.#store = store;
    this.#actions = actions;
    this.#input.addEventListener("input", () => this.#typed());
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    byID("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  render() {
    const conversation = this.#store.current;
    if (!conversation) return;
    const { id, direct, peer, status, draft } = conversation;
    const closed = status === "out" || (direct && peer === "");
    byID("composer").classList.toggle("closed", closed);
    this.#input.disabled = closed;
    const to = direct ? this.#store.nameOf(peer) : `#${id}`;
    this.#input.placeholder = closed ? "You cannot write here" : `Message ${to}`;
    this.#input.setAttribute("aria-label", `Message ${to}`);
    if (this.#shown === id) return;
    this.#shown = id;
    this.#input.value = draft;
    this.#measure();
    this.focus();
  }

  /** Puts the caret here, unless that would open a keyboard on a touch screen or take it from a dialog. */
  focus() {
    if (matchMedia("(pointer: fine)").matches && !document.querySelector("dialog[open]")) this.#input.focus();
  }

  #typed() {
    this.#store.current.draft = this.#input.value;
    this.#measure();
    if (this.#input.value.trim()) this.#actions.typing();
  }

  // Enter sends; with Shift it breaks the line; while an input method composes it belongs to that.
  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#send();
  }

  #send() {
    const text = this.#input.value.trim();
    if (!text || textLength(text) > MAX_TEXT || this.#input.disabled) return;
    this.#store.current.draft = this.#input.value = "";
    this.#measure();
    this.#actions.send(text);
    this.#input.focus();
  }

  #measure() {
    const length = textLength(this.#input.value.trim());
    const left = MAX_TEXT - length;
    setText(byID("left"), length < HINT_FROM ? "" : left < 0 ? `${-left} too many` : `${left} left`);
    byID("left").classList.toggle("over", left < 0);
    this.#input.setAttribute("aria-invalid", String(left < 0));
    byID("send").disabled = length === 0 || left < 0;
    this.#input.style.height = "auto";
    this.#input.style.height = `${this.#input.scrollHeight}px`;
  }
}
