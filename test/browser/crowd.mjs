// Many people in one room, with the names that people have: long ones, from right to left, of emoji, the same as others'.

const NAMES = [
  "Ana", "Ana", "Bartholomew Featherstonehaugh-Cholmondeley the Third of Somewhere", "محمد عبد الله", "שרה כהן", "李小龍", "🦊🎈",
  "Ⓞⓓⓓ", "x", "NoSpacesAtAllInThisNameWhichGoesOnAndOnAndOn", "Zoë Müller-Lüdenscheidt", "ภาษาไทย", "👩‍👩‍👧‍👦 The Smiths", "  ", "<b>Bold</b>",
];
const WORDS = [
  ["שלום לכולם, מה שלומכם? I write both ways, 123.", ""],
  ["Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ""],
  ["🎉🎉🎉", ""],
  [{ total: 12.5, currency: "EUR", items: ["a-rather-long-name-of-an-item", "another"], address: { street: "Somewhere 1" } }, "paid"],
  ["مرحبا بالجميع! هذه رسالة طويلة بما يكفي لتلتف على أكثر من سطر واحد عندما تكون النافذة ضيقة", ""],
  ["one\ntwo\n\nfour", ""],
];

/** Lets `count` people into a room from one page, where they stay; returns that page's `say(n, room, data, event)`. */
export async function crowd(page, url, room, count) {
  await page.goto(url);
  await page.evaluate(async ([names, where, many]) => {
    const enter = (n) => new Promise((resolve, reject) => {
      const name = n < names.length ? names[n] : `Visitor ${n}`;
      const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws?name=${encodeURIComponent(name)}`);
      socket.onopen = () => socket.send(JSON.stringify({ type: "join", room: where, id: 1 }));
      socket.onerror = reject;
      socket.onmessage = ({ data }) => JSON.parse(data).of === "join" && resolve(socket);
    });
    window.sockets = [];
    for (let n = 0; n < many; n++) window.sockets.push(await enter(n));
    window.says = (n, to, data, event) => new Promise((resolve) => {
      const socket = window.sockets[n];
      socket.addEventListener("message", ({ data: text }) => JSON.parse(text).of === "publish" && resolve(), { once: false });
      socket.send(JSON.stringify({ type: "publish", room: to, id: 2, data, ...(event && { event }) }));
    });
  }, [NAMES, room, count]);
  return (n, to, data, event) => page.evaluate((all) => window.says(...all), [n, to, data, event]);
}

/** Everybody of note says something. */
export async function chatter(say, room) {
  for (const n of NAMES.keys()) await say(n, room, ...WORDS[n % WORDS.length]);
}
