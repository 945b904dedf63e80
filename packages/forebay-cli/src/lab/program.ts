// Programs that the lab runs beside its server: where they are, and when they are ready.

import * as fs from "node:fs";
import { connect } from "node:net";
import * as path from "node:path";
import type { Ended } from "../server/custodian.ts";
import { pause } from "./clock.ts";
import type { ScenarioContext } from "./scenario.ts";

/** Where distributions put them, beside what PATH says: an ordinary user's has no sbin. */
const FOLDERS = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"];

function programFolders(): string[] {
  const named = (process.env["PATH"] ?? "").split(path.delimiter).filter((folder) => folder !== "");
  return [...named, ...FOLDERS];
}

/**
 * The program's file; `undefined` where it is in none of the folders. Those that this user may not
 * look into are passed over.
 */
export function findProgram(
  name: string,
  folders: readonly string[] = programFolders(),
): string | undefined {
  return folders.map((folder) => path.join(folder, name)).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

const START_TIMEOUT_MS = 10_000;
const POLL_MS = 10;

/** Waits until a port of 127.0.0.1 accepts connections, or the program ends. */
export async function untilItAccepts(
  { clock, signal }: Pick<ScenarioContext, "clock" | "signal">,
  port: number,
  ended: Promise<Ended>,
): Promise<"accepts" | "ended" | "late"> {
  let hasEnded = false;
  void ended.then(() => (hasEnded = true));
  for (let leftMs = START_TIMEOUT_MS; leftMs > 0; leftMs -= POLL_MS) {
    if (hasEnded) return "ended";
    if (await accepts(port)) return "accepts";
    await pause(clock, POLL_MS, signal);
  }
  return "late";
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
