// All house rules. T10, metrics, begins with the first metric: see CONTRIBUTING.md.

import type { Rule } from "./rule.ts";
import { leftToDo } from "./rules/comments.ts";
import { docComments } from "./rules/doc-comments.ts";
import { errorCodes } from "./rules/error-codes.ts";
import { escapes } from "./rules/escapes.ts";
import { invariants } from "./rules/invariants.ts";
import { layers } from "./rules/layers.ts";
import { orphans } from "./rules/orphans.ts";
import { machinePaths } from "./rules/paths.ts";
import { size } from "./rules/size.ts";
import { synchronous } from "./rules/synchronous.ts";
import { narrowed, sleeps } from "./rules/tests.ts";
import { time } from "./rules/time.ts";
import { units } from "./rules/units.ts";

/** In the order of their ids. */
export const RULES: readonly Rule[] = [
  layers,
  synchronous,
  time,
  size,
  docComments,
  units,
  escapes,
  orphans,
  errorCodes,
  invariants,
  leftToDo,
  sleeps,
  machinePaths,
  narrowed,
];
