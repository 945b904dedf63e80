// HAProxy in front of the lab's server: the real program, with a configuration of its own, which
// ends with the scenario or with this process.

import * as fs from "node:fs";
import * as path from "node:path";
import { serverAccount, temporaryDirectory } from "../server/account.ts";
import { Custodian } from "../server/custodian.ts";
import { freePort } from "../server/embedded.ts";
import { findProgram, untilItAccepts } from "./program.ts";
import { type ScenarioContext, ScenarioNotPossible } from "./scenario.ts";
import type { ProxyTarget } from "./tcp-proxy.ts";

/** How HAProxy is set up. */
export interface HaproxyOptions {
  readonly target: ProxyTarget;
  /** `timeout client` and `timeout server`: it closes a connection that is quiet for this long. */
  readonly inactivityMs: number;
}

/** An HAProxy that runs. */
export interface Haproxy {
  readonly port: number;
  /** Such as `2.6.12`. */
  readonly version: string;
  readonly pid: number;
}

/** Another program may take the chosen port before HAProxy does. */
const PORT_ATTEMPTS = 3;

/**
 * Starts HAProxy on a free port of 127.0.0.1, and has it stopped when the scenario ends. Throws
 * `ScenarioNotPossible` where it is not installed or does not start.
 */
export async function startHaproxy(
  context: Pick<ScenarioContext, "clock" | "signal" | "defer">,
  options: HaproxyOptions,
): Promise<Haproxy> {
  const file = findHaproxy();
  const account = serverAccount();
  const custodian = await Custodian.open(temporaryDirectory(account));
  context.defer(() => custodian.close());
  // The directory was made for its owner alone; the program's account must be able to enter it.
  if (account !== undefined) fs.chmodSync(custodian.directory, 0o755);
  const run = async (name: string, args: readonly string[]) => {
    const log = path.join(custodian.directory, name);
    const running = await custodian.run({ file, args, env: { LC_ALL: "C" }, log, account });
    return { ...running, said: () => fs.readFileSync(log, "utf8") };
  };
  const about = await run("version", ["-v"]);
  await about.ended;
  const version = /version (\d+[\d.]*\d)/.exec(about.said())?.[1] ?? "of an unknown version";
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const config = path.join(custodian.directory, `haproxy-${attempt}.cfg`);
    fs.writeFileSync(config, configOf(port, options), { mode: 0o644 });
    const running = await run(`log-${attempt}`, ["-db", "-f", config]);
    const outcome = await untilItAccepts(context, port, running.ended);
    if (outcome === "accepts") return { port, version, pid: running.pid };
    if (outcome === "late" || attempt === PORT_ATTEMPTS) {
      throw new ScenarioNotPossible(`HAProxy ${version} did not start: ${running.said().trim()}`);
    }
  }
}

/**
 * The program's path. Throws `ScenarioNotPossible` where there is none. `folders` are searched in
 * order; for tests.
 */
export function findHaproxy(folders?: readonly string[]): string {
  const found = findProgram("haproxy", folders);
  if (found !== undefined) return found;
  throw new ScenarioNotPossible(
    "This scenario needs HAProxy, which is not installed; on Debian and Ubuntu, install it with: " +
      "apt-get install haproxy",
    "haproxy",
  );
}

/** The configuration of a plain TCP proxy in front of one server. */
export function configOf(port: number, { target, inactivityMs }: HaproxyOptions): string {
  const host = target.host.includes(":") ? `[${target.host}]` : target.host;
  return [
    "global",
    "  maxconn 500",
    "  nbthread 1",
    "defaults",
    "  mode tcp",
    "  timeout connect 5s",
    `  timeout client ${inactivityMs}ms`,
    `  timeout server ${inactivityMs}ms`,
    "listen postgres",
    `  bind 127.0.0.1:${port}`,
    `  server primary ${host}:${target.port}`,
    "",
  ].join("\n");
}
