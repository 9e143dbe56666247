import { Activity, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { type Client, connect } from "wireroom";
import { usePresence, useConnection, useRoom } from "wireroom/react";

const address = new URLSearchParams(location.search).get("server") as string;

function Chat({ client, name }: { client: Client; name: string }) {
  const { messages, room, stage, publish } = useRoom<string>(client, name, { presence: true, last: 2, keep: 3 });
  const { count, members } = usePresence(room);
  return (
    <section className="chat">
      <output className="stage">{stage}</output>
      <output className="count">{count}</output>
      <output className="members">{members.map((m) => m.name).join(",")}</output>
      <ol>
        {messages.map((m) => (
          <li key={m.pos}>{m.data}</li>
        ))}
      </ol>
      <button className="say" onClick={() => publish("said")}>
        say
      </button>
    </section>
  );
}

function App({ client }: { client: Client }) {
  const { state } = useConnection(client);
  const [shown, show] = useState(2);
  const [name, rename] = useState("one");
  const [hidden, hide] = useState(false);
  const [twin, add] = useState(false);
  return (
    <main>
      <output id="state">{state}</output>
      <button id="less" onClick={() => show(shown - 1)}>
        less
      </button>
      <button id="other" onClick={() => rename("two")}>
        other
      </button>
      {Array.from({ length: shown }, (_, i) => (
        <Chat key={i} client={client} name={name} />
      ))}
      <button id="hide" onClick={() => hide(!hidden)}>
        hide
      </button>
      <button id="twin" onClick={() => add(!twin)}>
        twin
      </button>
      <Activity mode={hidden ? "hidden" : "visible"}>
        <div id="tab">
          <Chat client={client} name="tab" />
        </div>
      </Activity>
      {twin && <Chat client={client} name="tab" />}
    </main>
  );
}

const client = connect(address, { name: "React" });
createRoot(document.getElementById("root") as HTMLElement).render(
  <StrictMode>
    <App client={client} />
  </StrictMode>,
);
Object.assign(globalThis, { client });
