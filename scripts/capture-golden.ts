// `npm run golden [-- 18 14]`: lets the client talk to servers of these major versions, listens in,
// and writes what the servers send to test/golden. Process ids, keys, salts and nonces are those of
// the day.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import * as net from "node:net";
import {
  type PgConnection,
  postgres,
  type PostgresOptions,
} from "../packages/forebay/src/postgres/index.ts";
import { writeStartup } from "../packages/forebay/src/postgres/wire/proto/frontend.ts";
import { Writer } from "../packages/forebay/src/postgres/wire/proto/writer.ts";
import { CONVERSATIONS } from "../test/golden/conversations.ts";
import { clientNames, decode } from "../test/golden/decode.ts";
import { type Flight, type Golden, goldenText, type Opening } from "../test/golden/file.ts";
import { type Major, MAJORS, type OwnServer, startOwnServer } from "../test/support/own-server.ts";

const PASSWORD = "correct horse";
const METHODS = {
  golden_trust: "trust",
  golden_password: "password",
  golden_md5: "md5",
  golden_scram: "scram-sha-256",
};
const { signal } = new AbortController();

/** Stands between client and server, and takes down who said what. */
class Tap {
  readonly port: number;
  /** In order: whether it is the client's, and the bytes. */
  readonly heard: { readonly isClient: boolean; readonly bytes: Buffer }[] = [];
  /** Resolves when both sides have hung up. */
  readonly ended: Promise<void>;
  readonly #listener: net.Server;

  private constructor(listener: net.Server, serverPort: number) {
    this.#listener = listener;
    this.port = (listener.address() as net.AddressInfo).port;
    this.ended = new Promise((resolve) => {
      listener.once("connection", (client) => {
        const server = net.connect(serverPort, "127.0.0.1");
        const carry = (from: net.Socket, to: net.Socket, isClient: boolean) => {
          from.on("data", (bytes) => {
            this.heard.push({ isClient, bytes });
            to.write(bytes);
          });
          from.on("end", () => to.end()).on("error", () => to.destroy());
        };
        carry(client, server, true);
        carry(server, client, false);
        server.on("close", () => {
          client.destroy();
          resolve();
        });
      });
    });
  }

  static async open(serverPort: number): Promise<Tap> {
    const listener = net.createServer();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    return new Tap(listener, serverPort);
  }

  async close(): Promise<void> {
    await this.ended;
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}

/** Where the records of a server go. */
interface Folder {
  readonly url: URL;
  readonly version: string;
}

/** Brings what was heard into flights: what the client says, then what the server answers. */
function flightsOf(heard: Tap["heard"], hasStartup: boolean): Flight[] {
  const flights: { client: Buffer[]; server: Buffer[] }[] = [];
  for (const { isClient, bytes } of heard) {
    const last = flights.at(-1);
    if (isClient && (last === undefined || last.server.length > 0)) {
      flights.push({ client: [bytes], server: [] });
    } else if (last !== undefined) (isClient ? last.client : last.server).push(bytes);
  }
  return flights
    .filter(({ server }) => server.length > 0)
    .map(({ client, server }, at) => {
      const isStartup = hasStartup && at === 0;
      const names = isStartup ? "Startup" : clientNames(Buffer.concat(client));
      return { client: names, server: Buffer.concat(server) };
    });
}

function write(folder: Folder, golden: Omit<Golden, "messages" | "server">): void {
  const messages = decode(Buffer.concat(golden.flights.map((flight) => flight.server)));
  const { name, about, ...rest } = golden;
  const whole = { name, about, server: folder.version, ...rest, messages };
  writeFileSync(new URL(`${name}.json`, folder.url), goldenText(whole));
}

/** What the client said, as text, for finding the nonce. */
function nonceIn(heard: Tap["heard"]): { readonly nonce?: string } {
  const text = Buffer.concat(heard.map(({ bytes, isClient }) => (isClient ? bytes : NOTHING)));
  const nonce = /n,,n=,r=([^\0]{24})/u.exec(text.toString("latin1"))?.[1];
  return nonce === undefined ? {} : { nonce };
}

const NOTHING = Buffer.alloc(0);

function optionsAt(port: number, options: PostgresOptions): PostgresOptions {
  const fixed = { host: "127.0.0.1", port, sslMode: "disable", database: "postgres" } as const;
  return { ...fixed, password: PASSWORD, env: {}, ...options };
}

async function captureOpening(
  server: OwnServer,
  folder: Folder,
  [name, about, options]: (typeof OPENINGS)[number],
): Promise<void> {
  const tap = await Tap.open(server.port);
  const connecting = postgres(optionsAt(tap.port, options)).connect({ signal, onLost() {} });
  await connecting.then((conn) => conn.close()).catch(() => undefined);
  await tap.close();
  const opening: Opening = {
    user: options.user,
    password: options.password ?? PASSWORD,
    ...nonceIn(tap.heard),
    minor: options.maxProtocolVersion === "3.2" ? 2 : 0,
  };
  write(folder, { name, about, opening, flights: flightsOf(tap.heard, true) });
}

const OPENINGS: readonly (readonly [
  name: string,
  about: string,
  options: PostgresOptions & { readonly user: string; readonly password?: string },
])[] = [
  ["startup-trust", "a session without a password", { user: "golden_trust" }],
  ["startup-password", "the password itself is asked for", { user: "golden_password" }],
  ["startup-md5", "a password under md5", { user: "golden_md5" }],
  ["startup-scram", "a password under SCRAM-SHA-256", { user: "golden_scram" }],
  ["startup-refused", "a wrong password", { user: "golden_scram", password: "wrong" }],
  ["startup-3.2", "protocol 3.2 is asked for", { user: "golden_trust", maxProtocolVersion: "3.2" }],
];

/** A version that no server has, and an option that none knows. */
async function captureNegotiation(server: OwnServer, folder: Folder): Promise<void> {
  const minor = 9999;
  const writer = new Writer();
  const user = "golden_trust";
  const parameters = { user, database: "postgres", "_pq_.forebay": "1" };
  writeStartup(writer, minor, new Map(Object.entries(parameters)));
  const socket = net.connect(server.port, server.host);
  socket.write(writer.take());
  const bytes = await new Promise<Buffer>((resolve) => {
    let all: Buffer = NOTHING;
    socket.on("data", (chunk) => {
      all = Buffer.concat([all, chunk]);
      if (all.subarray(-6).equals(Buffer.from("Z\0\0\0\x05I"))) resolve(all);
    });
  });
  socket.destroy();
  write(folder, {
    name: "startup-negotiated",
    about: "a version of the protocol that no server speaks, and an option that none knows",
    opening: { user, minor },
    flights: [{ client: "Startup", server: bytes }],
  });
}

async function captureConversations(server: OwnServer, folder: Folder): Promise<void> {
  for (const conversation of CONVERSATIONS) {
    const { name, about, options = {} } = conversation;
    const tap = await Tap.open(server.port);
    const user = "golden_trust";
    const connector = postgres(optionsAt(tap.port, { ...options, user }));
    const conn: PgConnection = await connector.connect({ signal, onLost() {} });
    const from = tap.heard.length;
    await conversation.run(conn, (call) => call.catch((error: unknown) => error));
    const heard = tap.heard.slice(from);
    await conn.close();
    await tap.close();
    write(folder, { name, about, flights: flightsOf(heard, false) });
  }
}

async function capture(major: Major): Promise<void> {
  const hba = Object.entries(METHODS).map(
    ([role, method]) => `host all ${role} 127.0.0.1/32 ${method}`,
  );
  const server = await startOwnServer({ major, hba: [...hba, "local all all trust"] });
  try {
    const admin = await postgres({
      host: server.socketDir,
      port: server.port,
      user: server.user,
      database: "postgres",
      env: {},
    }).connect({ signal, onLost() {} });
    for (const [role, method] of Object.entries(METHODS)) {
      const kind = method === "md5" ? "md5" : "scram-sha-256";
      await admin.query(`SET password_encryption = '${kind}'`, []);
      await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD '${PASSWORD}'`, []);
    }
    // So that a function in pg_temp, which is found by its schema only, may be made by anybody.
    await admin.query("GRANT TEMP ON DATABASE postgres TO PUBLIC", []);
    const version = admin.serverParameter("server_version") ?? "";
    await admin.close();
    const url = new URL(`../test/golden/pg${major}/`, import.meta.url);
    rmSync(url, { recursive: true, force: true });
    mkdirSync(url, { recursive: true });
    const folder = { url, version };
    for (const opening of OPENINGS) await captureOpening(server, folder, opening);
    await captureNegotiation(server, folder);
    await captureConversations(server, folder);
    console.log(`PostgreSQL ${major}: written to test/golden/pg${major}`);
  } finally {
    await server.stop();
  }
}

const wanted = process.argv.slice(2).map(Number);
for (const major of MAJORS) {
  if (wanted.length === 0 ? major === 14 || major === 18 : wanted.includes(major)) {
    await capture(major);
  }
}
