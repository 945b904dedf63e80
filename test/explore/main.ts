// `npm run explore -- [--depth 14] [--states 1000000] [--setting plain]` lives every life of each
// small pool up to that many events, and prints a shortest one that fails.

import { parseArgs } from "node:util";
import { explore } from "./explore.ts";
import { settings } from "./settings.ts";

const { values } = parseArgs({
  options: {
    depth: { type: "string", default: "12" },
    states: { type: "string", default: "Infinity" },
    setting: { type: "string" },
  },
});

for (const setting of settings) {
  if (values.setting !== undefined && values.setting !== setting.name) continue;
  const startedAtMs = performance.now();
  const { states, transitions, depth, isComplete, counterexample } = explore(setting, {
    depth: Number(values.depth),
    statesMax: Number(values.states),
  });
  const seconds = (performance.now() - startedAtMs) / 1000;
  const rate = Math.round(transitions / seconds);
  const reach = isComplete ? "complete" : `all lives of ${depth} events`;
  console.log(
    `${setting.name}: ${states} states, ${transitions} transitions, ${reach}, ` +
      `${seconds.toFixed(1)} s, ${rate} transitions/s`,
  );
  if (counterexample === undefined) continue;
  const { life, error } = counterexample;
  console.error(life.map((event, index) => `${index + 1}. ${event}`).join("\n"));
  console.error(error);
  process.exitCode = 1;
}
