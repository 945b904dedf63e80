// Scenario 3, the guide's statements one by one.

import { claimOf, part } from "../claim.ts";
import { sum } from "../compare.ts";
import type { Claim, ClaimPart } from "../scenario.ts";
import { counted, duration, figure, listed, percent } from "../words.ts";
import type { BalancerFigures } from "./03-findings.ts";
import type { BalancerPlan } from "./03-plan.ts";

/** What the guide says about lifetimes behind a balancer, held against the run. */
export function claimOfBalancer(plan: BalancerPlan, figures: BalancerFigures): Claim {
  const { busy, go, aged, tested } = figures;
  return claimOf(
    "HAProxy expires backend connections every 30 minutes. Without ConnMaxLifetime the pool does " +
      "not notice until the next query, which fails with EOF and is tried again: a burst of " +
      "retries every 30 minutes. With a ConnMaxLifetime below that, connections are rotated " +
      "before HAProxy kills them, at idle moments.",
    [
      expiryPart(plan, figures),
      unnoticedPart(figures),
      retryPart(figures),
      rotatedPart(figures),
      idleMomentsPart(figures),
      growsPart(plan, figures),
      eofPart(figures),
    ],
    {
      refuted:
        busy.lost + busy.failed > 0
          ? "Not all of it came out as the guide says; what did not is marked below."
          : "HAProxy's timeouts are of inactivity: in " +
            `${duration(plan.steadyMs)} of traffic it cut nothing, although its timeout is ` +
            `${duration(plan.inactivityMs)}; after lulls ${figure(go.stale)} of ` +
            `${figure(tested)} connections were dead. A lifetime shorter than that timeout ends ` +
            `them first (${counted(sum(aged.map((run) => run.stale)), "dead connection")} handed ` +
            "out), but what the timeout goes by is the time without traffic.",
      holds: "Every statement came out as the guide says.",
      inconclusive: "What could be decided came out as the guide says.",
    },
  );
}

function expiryPart(plan: BalancerPlan, { busy, go, tested }: BalancerFigures): ClaimPart {
  return part(
    "HAProxy expires backend connections by their age, every 30 minutes.",
    busy.lost > 0 || busy.failed > 0,
    `In ${duration(plan.steadyMs)} of traffic without lulls and with no timer it cut ` +
      `${counted(busy.lost, "connection")} at a timeout of ${duration(plan.inactivityMs)} ` +
      `(${counted(busy.requests, "request")}, ${figure(busy.failed)} failed); after lulls ` +
      `${figure(go.stale)} of ${figure(tested)} were dead.`,
  );
}

function unnoticedPart({ go, bare, tested }: BalancerFigures): ClaimPart {
  return part(
    "The pool does not notice until the next query.",
    go.stale >= 0.8 * tested,
    `By database/sql's rules ${figure(go.stale)} of ${figure(tested)} were handed out dead. With ` +
      `Forebay, which reads idle sockets, ${figure(bare.stale)}: ${figure(bare.lost)} were ` +
      "closed when they ended.",
  );
}

function retryPart({ go }: BalancerFigures): ClaimPart {
  const visible = go.requests - go.served;
  return part(
    "One user-visible request is tried again for each: a burst of retries.",
    go.stale > 0 && visible === 0,
    `${counted(go.stale, "retry", "retries")} in ${counted(go.lulls, "lull")}, ` +
      `${figure(go.stale / go.lulls)} after each; callers saw ${counted(visible, "error")}. The ` +
      `first requests after a lull took ${duration(go.first.percentileMs(50))} in the median.`,
  );
}

function rotatedPart({ aged, tested }: BalancerFigures): ClaimPart {
  const lost = sum(aged.map((run) => run.lost));
  const closed = sum(aged.map((run) => run.lifetimeClosed));
  return part(
    "With a lifetime, connections are rotated before HAProxy kills them.",
    lost === 0 && closed > 0,
    `${figure(closed)} of ${figure(2 * tested)} were closed by age, with and without jitter; ` +
      `HAProxy was first for ${figure(lost)}. After the lulls, ` +
      `${counted(sum(aged.map((run) => run.dials)), "connection")} had to be opened.`,
  );
}

function idleMomentsPart({ herd, spread }: BalancerFigures): ClaimPart {
  const failed = herd.failed + spread.failed;
  const closed = herd.lifetimeClosed + spread.lifetimeClosed;
  return part(
    "They are closed at idle moments, not in the middle of a query.",
    failed === 0 && closed > 0,
    `In traffic without lulls ${counted(closed, "connection")} were closed by age, and ` +
      `${figure(failed)} of ${counted(herd.requests + spread.requests, "request")} failed.`,
  );
}

function growsPart({ connections }: BalancerPlan, { aged }: BalancerFigures): ClaimPart {
  const [life] = aged;
  const by = life?.lifetimeClosedBy ?? [];
  const steps = by.map((total, lull) => total - (by[lull - 1] ?? 0));
  return part(
    "MaxLifetimeClosed grows steadily.",
    steps.length > 0 && steps.every((step) => step >= 0.8 * connections),
    `After one lull and the next it stood at ${listed(by.map(figure))}.`,
  );
}

function eofPart({ go, aged, tested }: BalancerFigures): ClaimPart {
  const stale = sum(aged.map((run) => run.stale));
  return part(
    "Errors of connections that had ended drop to zero.",
    go.stale > 0 && stale === 0,
    `From ${figure(go.stale)} (${percent(go.stale / tested)}) to ${figure(stale)}.`,
  );
}
