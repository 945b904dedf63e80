// Plays the beginning of a session, as a server once went through it, to the client's side of it.

import { pbkdf2Sync } from "node:crypto";
import { MessageReader } from "../../packages/forebay/src/postgres/wire/proto/reader.ts";
import { type SessionFacts, Startup } from "../../packages/forebay/src/postgres/wire/startup.ts";
import type { Opening } from "./file.ts";

/** How far it came. */
export interface Begun {
  /** What the client knows of a session that is ready. */
  readonly facts: SessionFacts | undefined;
  readonly error: unknown;
  /** What the client sent, startup message and all. */
  readonly sent: readonly Buffer[];
}

const ROUNDS_MAX = 5000;
const keys = new Map<string, Buffer>();

/**
 * The same derivation again and again is done once; of long ones a part only, which fails later.
 */
function derive(password: string, salt: Buffer, iterations: number): Buffer {
  const rounds = Math.min(iterations, ROUNDS_MAX);
  const name = `${rounds} ${salt.toString("base64")} ${password}`;
  const known = keys.get(name);
  if (known !== undefined) return known;
  const key = pbkdf2Sync(password, salt, rounds, 32, "sha256");
  if (keys.size < 100) keys.set(name, key);
  return key;
}

/** Gives the chunks to a client that begins a session; stops at the first error. */
export function playOpening(opening: Opening, chunks: readonly Buffer[]): Begun {
  const sent: Buffer[] = [];
  let facts: SessionFacts | undefined;
  const startup: Startup = new Startup(
    {
      user: opening.user,
      password: opening.password,
      parameters: new Map([["user", opening.user]]),
      channelBinding: "prefer",
      protocolMinors: { min: 0, max: opening.minor },
      encrypted: false,
      endPoint: undefined,
      nonce: opening.nonce ?? "",
    },
    {
      send: (bytes) => void sent.push(bytes),
      notice: () => undefined,
      derive: (password, { salt, iterations }) =>
        startup.onDerived(derive(password, salt, iterations)),
      ready: (ready) => {
        facts = ready;
        // A session would take over here.
        reader.handler = { onMessage: () => reader.stop() };
      },
    },
  );
  const reader = new MessageReader(startup, 64 * 1024);
  try {
    startup.begin();
    for (const chunk of chunks) reader.push(chunk);
  } catch (error) {
    return { facts, error, sent };
  }
  return { facts, error: undefined, sent };
}
