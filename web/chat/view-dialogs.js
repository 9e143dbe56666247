// The two questions that the page may have to ask: a name, and where the server wants one, a token.

import { byID } from "../parts/dom.js";

const FIRST = ["Amber", "Bright", "Calm", "Clever", "Early", "Gentle", "Little", "Lucky", "Quiet", "Silver", "Sunny", "Swift"];
const SECOND = ["Badger", "Finch", "Fox", "Hare", "Heron", "Lynx", "Marten", "Otter", "Owl", "Robin", "Seal", "Swan"];

/** Asks for a name; settles with it, or with "" when the dialog was closed without one. A first name is not optional. */
export async function askName(current) {
  const first = current === "";
  byID("name-title").textContent = first ? "Welcome to Wireroom" : "Change your name";
  byID("name-lead").hidden = !first;
  byID("name-cancel").hidden = first;
  byID("name-save").textContent = first ? "Start chatting" : "Save";
  return ask(byID("name-dialog"), byID("name"), current || suggestion(), first);
}

/** Asks for an access token; settles with it, or with "". */
export async function askToken() {
  return ask(byID("token-dialog"), byID("token"), "", false);
}

function ask(dialog, input, value, needed) {
  input.value = value;
  const done = new AbortController();
  return new Promise((resolve) => {
    const finish = (answer) => {
      done.abort();
      dialog.close();
      resolve(answer);
    };
    const on = (node, event, handler) => node.addEventListener(event, handler, { signal: done.signal });
    on(dialog, "cancel", (event) => {
      event.preventDefault();
      if (!needed) finish("");
    });
    on(dialog, "submit", (event) => {
      event.preventDefault();
      const answer = input.value.replace(/\s+/gu, " ").trim();
      if (answer) finish(answer);
    });
    const cancel = dialog.querySelector(".cancel");
    if (cancel) on(cancel, "click", () => finish(""));
    dialog.showModal();
    input.select();
  });
}

function suggestion() {
  const [a, b] = crypto.getRandomValues(new Uint8Array(2));
  return `${FIRST[a % FIRST.length]} ${SECOND[b % SECOND.length]}`;
}
