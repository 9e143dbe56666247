import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Transport } from "../../src/index.js";
import { Player } from "./player.js";
import { Golden, type Json, type Scenario, type Step, type Told, Words, loadGolden, loadScenarios } from "./scenario.js";
import { Stages, stageToken } from "./stage.js";

let stages: Stages;
let shared: string;

beforeAll(async () => {
  stages = new Stages();
  shared = await stages.start(null);
});
afterAll(() => stages.end());

/** Who cannot play a scenario: this client, all clients, and those without a WebSocket. */
const groups = {
  websocket: ["typescript", "clients"],
  sse: ["typescript", "clients", "sse", "http"],
  poll: ["typescript", "clients", "poll", "http"],
};

describe.each<Transport>(["websocket", "sse", "poll"])("over %s", (transport) => {
  const played = loadScenarios().filter(({ except = {} }) => !groups[transport].some((group) => except[group]));

  test("most of what clients may see is played", () => {
    expect(played.length).toBeGreaterThanOrEqual(40);
  });

  describe.concurrent("scenarios", () => {
    test.each(played)("$name", async (scenario) => {
      await new Play(transport, scenario).run();
    });
  });
});

/** One run of one scenario. */
class Play {
  readonly #transport: Transport;
  readonly #scenario: Scenario;
  readonly #words = new Words();
  readonly #players = new Map<string, Player>();
  readonly #all: Player[] = [];
  readonly #told: Told[] = [];
  #server = shared;

  constructor(transport: Transport, scenario: Scenario) {
    this.#transport = transport;
    this.#scenario = scenario;
  }

  async run(): Promise<void> {
    const { server, steps } = this.#scenario;
    if (server) {
      this.#server = await stages.start(server);
    }
    try {
      for (const [i, step] of steps.entries()) {
        await this.#do(step).catch((error) => {
          const soFar = this.#told.map((told) => JSON.stringify(told)).join("\n");
          throw new Error(`step ${i + 1}: ${error.message}\nso far:\n${soFar}`, { cause: error });
        });
      }
      await this.#fence();
      for (const { name, rest } of this.#players.values()) {
        expect(rest, name).toEqual([]);
      }
      this.#compare();
    } finally {
      await Promise.all(this.#all.map((player) => player.cut()));
      if (server) {
        await stages.stop(this.#server);
      }
    }
  }

  /** Has the application say something in all rooms, and resolves when everybody who is there has got it. */
  async #fence(): Promise<void> {
    const players = [...this.#players.values()];
    for (const room of new Set(players.flatMap(({ rooms }) => rooms))) {
      await stages.act(this.#server, { app: "fence", room });
    }
    for (const player of players) {
      for (const room of player.rooms) {
        await player.fenced(room);
      }
    }
  }

  /** Compares all that was told with what a WebSocket carries: what is left of that without its framing. */
  #compare(): void {
    const golden = loadGolden(this.#scenario.name);
    expect(this.#told.map(({ who, envelope }) => `${who} ${envelope.type}`)).toEqual(
      golden.map(({ who, envelope }) => `${who} ${envelope.type}`),
    );
    const file = new Golden(this.#words);
    for (const [i, want] of golden.entries()) {
      const told = this.#told[i] as Told;
      expect(file.differs(want, told, this.#transport !== "websocket"), JSON.stringify(told)).toBeUndefined();
    }
  }

  async #do(step: Step): Promise<void> {
    const { open, as, see, app } = step;
    if (app) {
      const { room = "", target = "" } = step;
      await stages.act(this.#server, { ...step, room: this.#words.name(room), target: this.#words.name(target) });
    } else if (open) {
      const player = await this.#open(step);
      if (see) {
        await this.#hear(player, see, player.welcome);
      }
    } else if (as) {
      await this.#act(this.#players.get(as) ?? (await this.#open({ open: as })), step);
    }
  }

  async #act(player: Player, { send, bytes, reply, see, past, cut, close }: Step): Promise<void> {
    if (send) {
      await this.#hear(player, reply as Json, await player.ask({ ...this.#words.fill(send), ...(bytes !== undefined && { bytes }) }));
    } else if (see) {
      await this.#hear(player, see, await player.next((envelope) => !past || !this.#words.differs(see, envelope)));
    } else if (cut || close) {
      this.#players.delete(player.name);
      await (cut ? player.cut() : player.close());
    } else {
      throw new Error("the client does no such thing");
    }
  }

  async #open({ open = "", user = open, roles }: Step): Promise<Player> {
    const name = (user[0] ?? "").toUpperCase() + user.slice(1);
    const token = user === "-" ? undefined : stageToken(this.#words.name(`{${user}}`), name, roles);
    const player = await Player.connect(open, this.#server, this.#transport, token);
    this.#players.set(open, player);
    this.#all.push(player);
    return player;
  }

  /** Compares what a client was told with what is expected, as far as it tells. That messages are missed comes as a gap. */
  async #hear(player: Player, want: Json, envelope: Json): Promise<void> {
    this.#told.push({ who: player.name, envelope });
    const missed = envelope.of === "join" && want.recovered === false;
    const part = Object.entries(want).filter(([key]) => (key in envelope && !(missed && key === "pos")) || key === "type" || key === "code");
    this.#match({ ...Object.fromEntries(part), "...": 1 }, envelope);
    if (missed) {
      const { reason, pos } = want;
      this.#match({ type: "gap", reason, ...(pos && { pos }), "...": 1 }, await player.next());
    }
  }

  #match(want: Json, envelope: Json): void {
    const difference = this.#words.differs(want, envelope);
    if (difference) {
      throw new Error(`${difference}\n got  ${JSON.stringify(envelope)}\n want ${JSON.stringify(want)}`);
    }
  }
}
