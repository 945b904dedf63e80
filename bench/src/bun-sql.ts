// Bun's own client. Only a worker that runs on Bun can open it.

import type { Access } from "./access.ts";

/** As much of `Bun.SQL` as is used here. */
export interface BunSql {
  <T>(text: TemplateStringsArray, ...values: readonly unknown[]): Promise<T[]>;
  unsafe<T>(text: string, values: readonly unknown[]): Promise<T[]>;
  close(): Promise<void>;
}

interface BunSqlOptions {
  readonly adapter: "postgres";
  readonly hostname: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly database: string;
  readonly max: number;
  readonly tls: boolean;
}

interface BunGlobal {
  readonly Bun?: { readonly SQL: new (options: BunSqlOptions) => BunSql };
}

/** Opens it with this many connections. */
export function openBunSql(access: Access, connections: number): BunSql {
  const { Bun } = globalThis as BunGlobal;
  if (Bun === undefined) throw new Error("this is not Bun");
  const { host: hostname, port, user: username, password, database } = access;
  return new Bun.SQL({
    adapter: "postgres",
    hostname,
    port,
    username,
    password,
    database,
    max: connections,
    tls: false,
  });
}
