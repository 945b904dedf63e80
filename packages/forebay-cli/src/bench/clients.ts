// The clients that a bench measures, behind one face: Forebay, and those of the user's own project.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import { openPostgres } from "forebay/postgres";
import { CliError } from "../errors.ts";
import type { Server } from "../server/index.ts";
import type { ClientName } from "./figures.ts";

/** A client with its pool. */
export interface BenchClient {
  readonly name: ClientName;
  /** Runs the query once, on any connection. */
  query(signal: AbortSignal): Promise<unknown>;
  /** What its pool has counted so far; undefined where it does not tell. */
  waits(): { readonly waitCount: number; readonly waitDurationMs: number } | undefined;
  close(): Promise<void>;
}

const APPLICATION = "forebay-bench";

/** Forebay's own client. */
export function openForebay(server: Server, sql: string, maxOpenConns: number): BenchClient {
  const db = openPostgres(server.url, {
    maxOpenConns,
    acquireTimeoutMs: Infinity,
    connMaxLifetimeMs: Infinity,
    connMaxIdleTimeMs: Infinity,
    connection: { applicationName: APPLICATION },
  });
  return {
    name: "forebay",
    query: (signal) => db.query(sql, [], { signal }),
    waits: () => {
      const { waitCount, waitDurationMs } = db.stats();
      return { waitCount, waitDurationMs };
    },
    close: () => db.close({ drainTimeoutMs: 1000 }),
  };
}

type Peer = Exclude<ClientName, "forebay">;

/** A client of the user's project that was found. */
export interface FoundPeer {
  readonly name: Peer;
  /** What importing it gave. */
  readonly module: unknown;
}

/**
 * Imports a client from the project in `directory`. Rejects with a `CliError` of code
 * `CLIENT_MISSING` when it is not there.
 */
export async function findPeer(name: Peer, directory: string): Promise<FoundPeer> {
  try {
    const file = createRequire(path.join(directory, "package.json")).resolve(name);
    const imported = (await import(pathToFileURL(file).href)) as { readonly default?: unknown };
    return { name, module: imported.default ?? imported };
  } catch (error) {
    const what = `there is no ${name} to compare with in ${directory}`;
    throw new CliError("CLIENT_MISSING", what, `Run \`npm install ${name}\` there.`, {
      cause: error,
    });
  }
}

/** As much of node-postgres as is used. */
interface NodePostgres {
  readonly Pool: new (
    options: object,
  ) => {
    query(config: { readonly name: string; readonly text: string }): Promise<unknown>;
    on(event: "error", listener: () => void): unknown;
    end(): Promise<void>;
  };
}

/** As much of postgres.js as is used. */
type PostgresJs = (
  url: string,
  options: object,
) => {
  unsafe(text: string, args: readonly unknown[], options: object): Promise<unknown>;
  end(options: object): Promise<void>;
};

/** The server that a peer is to use, and whether our own connections to it are encrypted. */
export interface PeerServer {
  readonly server: Server;
  readonly isTls: boolean;
}

/** Opens a client of the user's project, with prepared statements, as both recommend. */
export function openPeer(peer: FoundPeer, at: PeerServer, sql: string, max: number): BenchClient {
  const { url, ssl } = peerTarget(at);
  const common = { name: peer.name, waits: () => undefined };
  if (peer.name === "pg") {
    const { Pool } = peer.module as NodePostgres;
    const pool = new Pool({ connectionString: url, max, application_name: APPLICATION, ssl });
    pool.on("error", () => undefined);
    const config = { name: "forebay_bench", text: sql };
    return { ...common, query: () => pool.query(config), close: () => pool.end() };
  }
  const open = peer.module as PostgresJs;
  const client = open(url, { max, connection: { application_name: APPLICATION }, ssl });
  return {
    ...common,
    query: () => client.unsafe(sql, [], { prepare: true }),
    close: () => client.end({ timeout: 1 }),
  };
}

type PeerTls = false | { readonly ca?: string; readonly rejectUnauthorized: boolean };

/**
 * The clients differ in what they make of the TLS parameters of a URL. So these are taken out, and
 * each is told in its own words to do what ours does.
 */
function peerTarget({ server, isTls }: PeerServer): {
  readonly url: string;
  readonly ssl: PeerTls;
} {
  if (!/^postgres(ql)?:\/\//.test(server.url)) {
    throw new CliError(
      "USAGE",
      "--compare needs a server that is given by a URL",
      "Write --dsn or DATABASE_URL as postgres://user:password@host:5432/database.",
    );
  }
  const url = new URL(server.url);
  const { searchParams } = url;
  const isVerified = (searchParams.get("sslmode") ?? "").startsWith("verify-");
  const rootFile = searchParams.get("sslrootcert");
  const names = Array.from(searchParams.keys()).filter((name) => name.startsWith("ssl"));
  for (const name of names) searchParams.delete(name);
  if (!isTls) return { url: url.href, ssl: false };
  const ca = isVerified && rootFile !== null ? { ca: readFileSync(rootFile, "utf8") } : {};
  return { url: url.href, ssl: { ...ca, rejectUnauthorized: isVerified } };
}
