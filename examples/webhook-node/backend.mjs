// A back end for Wireroom's webhooks. WEBHOOK_SECRET=... node backend.mjs [PORT]
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const secret = process.env.WEBHOOK_SECRET;

// What to say to an event: {} allows it.
function answer(event) {
  switch (event.event) {
    case "connect":
      if (event.headers?.Cookie === "session=ann") return { user: "ann", name: "Ann", roles: ["staff"] };
      break;
    case "join":
      if (event.room.startsWith("staff/") && event.user !== "ann") return { allow: false, message: "staff only" };
      break;
    case "publish":
      if (typeof event.data === "string") return { data: event.data.replaceAll("darn", "****") };
      break;
    case "call":
      return { data: { sum: event.data.reduce((a, b) => a + b, 0) } };
  }
  console.log(event.event, event.room ?? event.user ?? "");
  return {};
}

function genuine(headers, body) {
  const sent = headers["wireroom-timestamp"] ?? "";
  const expected = "sha256=" + createHmac("sha256", secret).update(sent + ".").update(body).digest("hex");
  const given = Buffer.from(headers["wireroom-signature"] ?? "");
  const equal = given.length === expected.length && timingSafeEqual(given, Buffer.from(expected));
  return equal && Math.abs(Date.now() / 1000 - Number(sent)) < 300;
}

const server = createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  const good = genuine(request.headers, body);
  response.writeHead(good ? 200 : 401, { "Content-Type": "application/json" });
  response.end(JSON.stringify(good ? answer(JSON.parse(body)) : {}));
});
server.listen(Number(process.argv[2] ?? 9000), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
