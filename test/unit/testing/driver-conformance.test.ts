// The conformance cases: a driver that keeps the contract passes them all, and for each case there
// is a driver that it alone finds out.

import { expect, test } from "vitest";
import { driverCases } from "../../../packages/forebay/src/testing/index.ts";
import { BROKEN } from "./broken-drivers.ts";
import { failures, reportOn } from "./run-cases.ts";
import { Toy, toyDialect } from "./toy-driver.ts";

test("a driver that keeps the contract passes every case, and is called by the rules", async () => {
  const toy = new Toy();
  const report = await reportOn(toy, toyDialect(toy), toy.clock);
  expect(failures(report)).toEqual([]);
  expect(report.cases.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
  expect(toy.database.violations).toEqual([]);
  expect(toy.database.openCount).toBe(0);
});

test("there is a broken driver for every case", () => {
  const names = driverCases(new Toy(), toyDialect(new Toy())).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(BROKEN).toSorted()).toEqual(names.toSorted());
});

test.each(Object.entries(BROKEN))("one case finds a driver out: %s", async (name, breakOne) => {
  const toy = new Toy();
  breakOne(toy);
  const report = await reportOn(toy, toyDialect(toy), toy.clock);
  const failed = report.cases.filter(({ outcome }) => outcome === "failed");
  expect(failed.map((failure) => failure.name)).toEqual([name]);
  // It is found out by a case, and not by an accident of ours.
  expect(failed[0]?.error?.name).toBe("Breach");
});
