// Puts a session back as it was when it was set up. What has to be put back, session-dirt.ts knows.

import type { SessionDirt } from "./session-dirt.ts";

/**
 * Runs what the session needs, outside a transaction; nothing, when nothing was changed. Rejects as
 * `run` does: then nobody knows what the session is like.
 */
export async function cleanSession(
  dirt: SessionDirt,
  run: (sql: string, args: readonly unknown[]) => Promise<unknown>,
): Promise<void> {
  const remedy = dirt.remedy();
  if (remedy === undefined) return;
  await run(remedy, []);
  for (const { sql, args } of dirt.setup) await run(sql, args);
  for (const parameter of dirt.lostParameters()) {
    await run("SELECT pg_catalog.set_config($1, $2, false)", parameter);
  }
  dirt.cleaned();
}
