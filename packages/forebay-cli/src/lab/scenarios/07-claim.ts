// Scenario 7, the guide's statements one by one.

import { claimOf, estimatedPart, part } from "../claim.ts";
import { mapEstimate } from "../compare.ts";
import type { Claim } from "../scenario.ts";
import { duration, figure, percent, times, withInterval } from "../words.ts";
import { BATCH, CALLERS, DELAY_MS, GUIDE_PER_S } from "./07-arms.ts";
import type { LayersFigures } from "./07-findings.ts";

/** What the guide says about layers, held against the run. */
export function claimOfLayers(figures: LayersFigures): Claim {
  const { driverOverPortable, nativeOverPortable } = figures;
  const gist =
    `Over the portable layer, a query took ${times(nativeOverPortable.time.value)} as long ` +
    `with the native one, ${times(driverOverPortable.time.value)} without pool and layer.`;
  return claimOf(
    `At ${figure(GUIDE_PER_S)} queries/s the portable layer's overhead can be measured; the ` +
      "native pool, which skips it and has pipelining and binary values, is 10 to 30 % faster on " +
      "hot paths. Below 5 % of the request's time it is not worth it.",
    [
      estimatedPart(
        "Skipping the portable layer makes a hot path 10 to 30 % faster.",
        driverOverPortable.time,
        { to: 0.9 },
        "The most that can be saved shows in what the driver alone takes: " +
          `${withInterval(driverOverPortable.time)} times the portable layer's time, one row, ` +
          `one caller. The native layer took ${withInterval(nativeOverPortable.time)} times. ` +
          "(0.9 and below counts as holding.)",
      ),
      estimatedPart(
        `At ${figure(GUIDE_PER_S)} queries/s the layer's overhead can be measured.`,
        figures.layerCoreShare,
        { from: 0.01 },
        `Pool and layer took ${figure(figures.layerCpuUs)} µs of CPU time a query: at that rate ` +
          `${withInterval(mapEstimate(figures.layerCoreShare, (share) => share * 100))} % of one ` +
          "core. (1 % counts as measurable.)",
      ),
      estimatedPart(
        "The native layer gains by the protocol: pipelining.",
        figures.pipelinedOverPortable.time,
        { to: 0.9 },
        `With ${CALLERS} callers ${figure(figures.pipelinedPerS)}/s instead of ` +
          `${figure(figures.portablePerS)}/s: ` +
          `${withInterval(figures.pipelinedOverPortable.time)} times the time a query, ` +
          `${withInterval(figures.pipelinedOverPortable.cpu)} times the CPU time. A batch of ` +
          `${BATCH} with a round trip of ${2 * DELAY_MS} ms took ` +
          `${withInterval(figures.farBatch.time)} times as long as one by one.`,
      ),
      estimatedPart(
        "The native layer gains by the protocol: binary values throughout.",
        figures.objectsOverText.cpu,
        { to: 0.95 },
        `A large result took ${withInterval(figures.objectsOverText.cpu)} times the CPU time in ` +
          "binary as in text, through the portable layer: the driver gives it to both.",
      ),
      part(
        "Where the layer is below 5 % of the request's time, do not bother.",
        !(figures.layerShareFar < 0.05 && nativeOverPortable.time.high < 0.95),
        `It is ${percent(figures.layerShare)} of a request here ` +
          `(${duration(figures.requestMs)}), ${percent(figures.layerShareFar)} over a network ` +
          `with a round trip of ${2 * DELAY_MS} ms (${duration(figures.farRequestMs)}). For ` +
          "single queries the rule is a good one; it says nothing of batches and pipelining, " +
          "which are not overhead saved.",
      ),
    ],
    {
      holds: `${gist} All of it came out as the guide says.`,
      refuted: `${gist} What does not hold is marked. The gain lies in what the protocol can do.`,
      inconclusive: `${gist} What could be decided came out as the guide says.`,
    },
  );
}
