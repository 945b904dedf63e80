// Warnings of the process, taken instead of printed: for arms that are expected to raise them.

import type { LabClock } from "./clock.ts";

/** Runs something, and gives the codes of the warnings that were raised meanwhile. */
export async function collectWarnings(
  clock: LabClock,
  run: () => Promise<void>,
): Promise<string[]> {
  const codes: string[] = [];
  const printers = process.listeners("warning");
  const take = (warning: Error): void => {
    codes.push((warning as { code?: string }).code ?? warning.name);
  };
  process.removeAllListeners("warning");
  process.on("warning", take);
  try {
    await run();
    // A warning is raised after the turn of the event loop in which it came to be.
    await new Promise<void>((resolve) => clock.afterIo(resolve));
    return codes;
  } finally {
    process.off("warning", take);
    for (const print of printers) process.on("warning", print);
  }
}
