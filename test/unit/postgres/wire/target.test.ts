// Which servers fit what target_session_attrs asks for, by what they report or, if they do not, by
// what they answer.

import { describe, expect, test } from "vitest";
import type { TargetSessionAttrs } from "../../../../packages/forebay/src/postgres/index.ts";
import { misfit } from "../../../../packages/forebay/src/postgres/wire/target.ts";

const KINDS: readonly TargetSessionAttrs[] = [
  "any",
  "read-write",
  "read-only",
  "primary",
  "standby",
  "prefer-standby",
];

/** The kinds that a server fits, and what it was asked. */
async function fitting(reported: Record<string, string>, answers: Record<string, string>) {
  const asked = new Set<string>();
  const session = {
    serverParameter: (name: string) => reported[name],
    ask: (sql: string) => {
      asked.add(sql);
      return Promise.resolve(answers[sql] ?? "");
    },
  };
  const reasons = await Promise.all(KINDS.map((kind) => misfit(session, kind)));
  return { fits: KINDS.filter((_, i) => reasons[i] === undefined), asked: [...asked] };
}

const READ_ONLY = "SHOW transaction_read_only";
const RECOVERY = "SELECT pg_catalog.pg_is_in_recovery()::text";

describe("a server that reports what it is", () => {
  test.each<[string, string, TargetSessionAttrs[]]>([
    ["off", "off", ["any", "read-write", "primary"]],
    ["off", "on", ["any", "read-only", "primary"]],
    ["on", "off", ["any", "read-only", "standby", "prefer-standby"]],
    ["on", "on", ["any", "read-only", "standby", "prefer-standby"]],
  ])("in_hot_standby %s, default_transaction_read_only %s", async (standby, readOnly, kinds) => {
    const reported = { in_hot_standby: standby, default_transaction_read_only: readOnly };
    expect(await fitting(reported, {})).toEqual({ fits: kinds, asked: [] });
  });
});

describe("a server that does not report it", () => {
  test.each<[string, string, TargetSessionAttrs[]]>([
    ["off", "false", ["any", "read-write", "primary"]],
    ["on", "false", ["any", "read-only", "primary"]],
    ["on", "true", ["any", "read-only", "standby", "prefer-standby"]],
  ])("read-only %s, in recovery %s", async (readOnly, recovery, kinds) => {
    const answers = { [READ_ONLY]: readOnly, [RECOVERY]: recovery };
    expect(await fitting({}, answers)).toEqual({ fits: kinds, asked: [READ_ONLY, RECOVERY] });
  });

  test("is asked also where only half of it is reported", async () => {
    const answers = { [READ_ONLY]: "on" };
    const { fits, asked } = await fitting({ in_hot_standby: "off" }, answers);
    expect({ fits, asked }).toEqual({ fits: ["any", "read-only", "primary"], asked: [READ_ONLY] });
  });

  test("is not asked when anything will do", async () => {
    const session = {
      serverParameter: () => undefined,
      ask: () => Promise.reject(new Error("asked")),
    };
    expect(await misfit(session, "any")).toBeUndefined();
    await expect(misfit(session, "primary")).rejects.toThrow("asked");
  });
});
