// Whether the lab's scenario behind HAProxy can run here.

import { findHaproxy } from "../../packages/forebay-cli/src/lab/haproxy.ts";
import { ScenarioNotPossible } from "../../packages/forebay-cli/src/lab/scenario.ts";

/** What a test with HAProxy is called where it is skipped, so that everybody sees why. */
export const NEEDS_HAPROXY: string = isInstalled()
  ? ""
  : "(skipped: HAProxy is missing, `apt-get install haproxy`)";

function isInstalled(): boolean {
  try {
    findHaproxy();
    return true;
  } catch (error) {
    if (error instanceof ScenarioNotPossible) return false;
    throw error;
  }
}
