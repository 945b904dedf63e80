// What a worker knows of the server and of its tables. Nothing else is loaded with it, so that
// workers on other runtimes can use it too.

/** How a worker reaches the tables. Handed over in the environment. */
export interface Access {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Of the table that the benchmark works on. */
  readonly rows: number;
  /**
   * A role for the wire floors, which speak no SCRAM: its password goes over the loopback in the
   * clear.
   */
  readonly floorUser: string;
}

/** The statement of a point select. */
export const POINT_SELECT: string = "select abalance from pgbench_accounts where aid = $1";

const ENVIRONMENT_NAME = "FOREBAY_BENCH_ACCESS";

/** What a worker must find in its environment. The workers in Go read the same. */
export function environmentOf(access: Access): Record<string, string> {
  return { [ENVIRONMENT_NAME]: JSON.stringify(access) };
}

/** What the parent has handed over. */
export function accessFromEnvironment(): Access {
  return JSON.parse(process.env[ENVIRONMENT_NAME] ?? "{}") as Access;
}
