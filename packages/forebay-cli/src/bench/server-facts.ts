// What a bench asks the server about itself.

import { postgres } from "forebay/postgres";
import type { Server } from "../server/index.ts";

/** Where the server runs. */
export interface BenchServerFacts {
  readonly backendPid: number;
  /** Whether it seems to run on this machine: reached by a Unix socket or the loopback. */
  readonly isLocal: boolean;
  /** Whether our connection to it is encrypted. */
  readonly isTls: boolean;
}

const SQL = `SELECT pg_backend_pid() AS pid,
  coalesce(host(inet_server_addr()), '') AS address,
  coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_tls`;

interface FactsRow {
  readonly pid: number;
  readonly address: string;
  readonly is_tls: boolean;
}

/** The server's process of a session, which may be looked up while that session is open. */
export async function withServerFacts<T>(
  server: Server,
  signal: AbortSignal,
  look: (facts: BenchServerFacts) => Promise<T>,
): Promise<T> {
  const connector = postgres(server.url, { applicationName: "forebay-bench" });
  const conn = await connector.connect({ signal, onLost: () => undefined });
  try {
    const { rows } = await conn.query(SQL, [], { signal });
    const { pid, address, is_tls: isTls } = rows[0] as FactsRow;
    const isLocal = address === "" || address.startsWith("127.") || address === "::1";
    return await look({ backendPid: pid, isLocal, isTls });
  } finally {
    await conn.close();
  }
}
