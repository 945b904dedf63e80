// Drivers by name, for programs whose database is named in their configuration. Nothing registers
// itself: importing a driver has no effect.

import { UsageError } from "../base/errors.ts";
import type { Driver } from "../driver/driver.ts";
import { type DB, type DBOptions, openDB } from "./db.ts";

const DRIVERS = new Map<string, Driver>();

/**
 * Makes a driver known by a name, for `open`. Throws `ARGUMENT_INVALID` for an empty name, for a
 * name that is taken, and for what is no driver. (`sql.Register`.)
 *
 * @example
 * ```ts
 * import { open, register } from "forebay";
 * import { postgresDriver } from "forebay/postgres";
 *
 * register("postgres", postgresDriver);
 * const db = open("postgres", "postgres://app@localhost/app", { maxOpenConns: 16 });
 * await db.ping();
 * await db.close();
 * ```
 */
export function register(name: string, driver: Driver): void {
  if (typeof name !== "string" || name === "") {
    throw new UsageError("ARGUMENT_INVALID", "a driver must be registered by a name");
  }
  if (typeof (driver as Partial<Driver> | undefined)?.openConnector !== "function") {
    throw new UsageError(
      "ARGUMENT_INVALID",
      `what is to be registered as "${name}" is no driver: it has no openConnector`,
    );
  }
  if (DRIVERS.has(name)) {
    throw new UsageError(
      "ARGUMENT_INVALID",
      `a driver is registered as "${name}" already; register each once, where the program begins`,
    );
  }
  DRIVERS.set(name, driver);
}

/** The names by which drivers are registered, sorted. (`sql.Drivers`.) */
export function drivers(): string[] {
  return Array.from(DRIVERS.keys()).sort();
}

/**
 * Makes a `DB` over a driver that was registered by this name. `dsn` is what that driver
 * understands: for PostgreSQL a URL or a list of keywords and values. Otherwise as `openDB`, which
 * is the better choice where the driver is known when the program is written. Opens nothing yet.
 *
 * Throws `ARGUMENT_INVALID` for a name that nobody has registered, and `OPTION_INVALID` for a `dsn`
 * that the driver does not understand and for bad options. (`sql.Open`.)
 */
export function open(name: string, dsn: string, options?: DBOptions): DB {
  const driver = DRIVERS.get(name);
  if (driver === undefined) {
    const known = DRIVERS.size === 0 ? "none is registered" : `known: ${drivers().join(", ")}`;
    throw new UsageError(
      "ARGUMENT_INVALID",
      `no driver is registered as ${JSON.stringify(name)} (${known}). Register it first, such as ` +
        'import { postgresDriver } from "forebay/postgres"; register("postgres", postgresDriver)',
    );
  }
  return openDB(driver.openConnector(dsn), options);
}
