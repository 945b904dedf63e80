// A plugin of the mutation run: the words of an assertion are not mutated. They are read by whoever
// reports a defect of ours, and nothing depends on them; the conditions are mutated.

import { declareValuePlugin, PluginKind } from "@stryker-mutator/api/plugin";

const WORDED = new Set(["assert", "BugError"]);

function isMessage(path) {
  const call = path.parentPath?.node;
  if (call?.type !== "CallExpression" && call?.type !== "NewExpression") return false;
  return WORDED.has(call.callee.name) && call.arguments.at(-1) === path.node;
}

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, "messages", {
    shouldIgnore(path) {
      return isMessage(path) ? "the words of an assertion" : undefined;
    },
  }),
];
