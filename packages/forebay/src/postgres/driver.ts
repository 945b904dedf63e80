// PostgreSQL for programs that open a database by the name of its driver.

import type { Driver } from "../driver/driver.ts";
import type { PgConnection } from "./wire/connection.ts";
import { postgres } from "./wire/connector.ts";

/**
 * PostgreSQL as a driver, for `register` and `open`; importing it registers nothing. Its connection
 * strings are those of `postgres`.
 *
 * @example
 * ```ts
 * import { open, register } from "forebay";
 * import { postgresDriver } from "forebay/postgres";
 *
 * register("postgres", postgresDriver);
 * const db = open("postgres", process.env["DATABASE_URL"] ?? "");
 * await db.close();
 * ```
 */
export const postgresDriver: Driver<PgConnection> = {
  openConnector: (dsn) => postgres(dsn),
};
