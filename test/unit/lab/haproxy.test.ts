import { expect, test } from "vitest";
import { configOf, findHaproxy } from "../../../packages/forebay-cli/src/lab/haproxy.ts";
import { ScenarioNotPossible } from "../../../packages/forebay-cli/src/lab/scenario.ts";

test("where HAProxy is missing, the scenario is not possible, and says what to install", () => {
  expect(() => findHaproxy(["/nowhere"])).toThrow(ScenarioNotPossible);
  expect(() => findHaproxy(["/nowhere"])).toThrow("apt-get install haproxy");
});

test("the configuration has both timeouts, and brackets around an IPv6 address", () => {
  const config = configOf(7000, { target: { host: "::1", port: 5432 }, inactivityMs: 3000 });
  expect(config).toContain("timeout client 3000ms");
  expect(config).toContain("timeout server 3000ms");
  expect(config).toContain("bind 127.0.0.1:7000");
  expect(config).toContain("server primary [::1]:5432");
});
