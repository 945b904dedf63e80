// Whether a server is of the kind that target_session_attrs asks for.

import type { TargetSessionAttrs } from "./config.ts";

/** What is asked of a session that has begun. */
export interface TargetSession {
  /** A parameter that the server reports. */
  serverParameter(name: string): string | undefined;
  /** Runs a statement that gives one value, and gives its text. */
  ask(sql: string): Promise<string>;
}

/**
 * Why the server is not what is wanted; `undefined` when it is. By what the server reports, as
 * PostgreSQL does from version 14 on; of older ones, and through poolers that leave it out, it is
 * asked for. Rejects as the question does.
 */
export async function misfit(
  session: TargetSession,
  wanted: TargetSessionAttrs,
): Promise<string | undefined> {
  switch (wanted) {
    case "any":
      return undefined;
    case "read-write":
      return (await isReadOnly(session)) ? "it is read-only" : undefined;
    case "read-only":
      return (await isReadOnly(session)) ? undefined : "it is not read-only";
    case "primary":
      return (await isStandby(session)) ? "it is a standby" : undefined;
    case "standby":
    case "prefer-standby":
      return (await isStandby(session)) ? undefined : "it is not a standby";
    default:
      return wanted satisfies never;
  }
}

async function isReadOnly(session: TargetSession): Promise<boolean> {
  const inRecovery = session.serverParameter("in_hot_standby");
  const byDefault = session.serverParameter("default_transaction_read_only");
  if (inRecovery === undefined || byDefault === undefined) {
    return (await session.ask("SHOW transaction_read_only")) === "on";
  }
  return inRecovery === "on" || byDefault === "on";
}

async function isStandby(session: TargetSession): Promise<boolean> {
  const reported = session.serverParameter("in_hot_standby");
  if (reported !== undefined) return reported === "on";
  return (await session.ask("SELECT pg_catalog.pg_is_in_recovery()::text")) === "true";
}
