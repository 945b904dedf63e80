// One PostgreSQL server for every test that wants one, for the projects `postgres` and `cli`
// together. PG_TEST_URL names a server of your own instead; its superuser must be named in it, and
// tests that need the extra lines of pg_hba.conf below look at `postgresKind`.

import type { TestProject } from "vitest/node";
import { startEmbedded } from "../../packages/forebay-cli/src/server/index.ts";

declare module "vitest" {
  interface ProvidedContext {
    /**
     * `given` when PG_TEST_URL is set. Only an `embedded` server has the roles' authentication
     * methods.
     */
    postgresKind: "given" | "embedded";
    /**
     * The superuser over TCP; TLS without a check of the certificate when the server is embedded.
     */
    postgresUrl: string;
    /** The same, with a full check of the certificate. */
    postgresUrlVerify: string;
    postgresHost: string;
    postgresPort: number;
    /** The directory of the Unix socket; empty where there is none. */
    postgresSocketDir: string;
    postgresSuperuser: string;
    postgresPassword: string;
  }
}

/** Roles that tests create, and how those roles may connect, with TLS and without. */
const ROLE_METHODS = {
  auth_trust: "trust",
  auth_password: "password",
  auth_md5: "md5",
  auth_scram: "scram-sha-256",
  plain_user: "scram-sha-256",
};

interface Provided {
  readonly postgresKind: "given" | "embedded";
  readonly postgresUrl: string;
  readonly postgresUrlVerify: string;
  readonly postgresHost: string;
  readonly postgresPort: number;
  readonly postgresSocketDir: string;
  readonly postgresSuperuser: string;
  readonly postgresPassword: string;
}

interface Shared {
  users: number;
  readonly server: Promise<{ readonly provided: Provided; stop(): Promise<void> }>;
}

// Each project loads this module anew; what they share must hang on the process.
const SHARED = Symbol.for("forebay.test.postgres");
const shelf = globalThis as { [SHARED]?: Shared | undefined };

/** Vitest's entry point: provides the server's address, and gives the teardown back. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const shared = (shelf[SHARED] ??= { users: 0, server: open() });
  shared.users += 1;
  const { provided, stop } = await shared.server;
  for (const [name, value] of Object.entries(provided)) {
    project.provide(name as keyof Provided, value as never);
  }
  return async () => {
    shared.users -= 1;
    if (shared.users > 0) return;
    shelf[SHARED] = undefined;
    await stop();
  };
}

async function open(): Promise<{ readonly provided: Provided; stop(): Promise<void> }> {
  const given = process.env["PG_TEST_URL"];
  if (given !== undefined && given !== "") {
    return { provided: fromUrl(given), stop: () => Promise.resolve() };
  }
  const server = await startEmbedded({
    maxConnections: 200,
    hba: Object.entries(ROLE_METHODS).flatMap(([role, method]) => [
      `local all ${role} ${method}`,
      `host all ${role} 127.0.0.1/32 ${method}`,
      `host all ${role} ::1/128 ${method}`,
    ]),
  });
  const { host, port, user, password } = server;
  const provided = {
    postgresKind: "embedded" as const,
    postgresUrl: `postgres://${user}:${password}@${host}:${port}/postgres?sslmode=require`,
    postgresUrlVerify: server.url,
    postgresHost: host,
    postgresPort: port,
    postgresSocketDir: server.socketDir ?? "",
    postgresSuperuser: user,
    postgresPassword: password,
  };
  return { provided, stop: () => server.stop() };
}

function fromUrl(url: string): Provided {
  const { hostname, port, username, password } = new URL(url);
  return {
    postgresKind: "given",
    postgresUrl: url,
    postgresUrlVerify: url,
    postgresHost: hostname,
    postgresPort: port === "" ? 5432 : Number(port),
    postgresSocketDir: "",
    postgresSuperuser: decodeURIComponent(username),
    postgresPassword: decodeURIComponent(password),
  };
}
