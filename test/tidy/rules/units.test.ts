import { expect, test } from "vitest";
import { foundIn } from "./examples.ts";
import { units } from "./units.ts";

const FILE = "packages/forebay/src/pool/a.ts";

test.each([
  ["const timeout = 5000;", "timeout"],
  ["const DELAY_MAX = 2 ** 31;", "DELAY_MAX"],
  ["function a(delay: number) {}", "delay"],
  ["interface A { readonly maxLifetime?: number | undefined }", "maxLifetime"],
  ["class A { #interval = 60 * 1000; }", "#interval"],
  ["function elapsed(): number { return 0; }", "elapsed"],
  ["let waitSeconds: number;", "waitSeconds"],
  ["let idleMillis: number;", "idleMillis"],
  ["let latencyP99: number;", "latencyP99"],
  ["let dueMs: MonotonicMs;", "dueMs"],
  ["let bufferSize: number;", "bufferSize"],
  ["const HEAP_LIMIT_MB = 64; const cacheMb = 64;", "HEAP_LIMIT_MB"],
  ["let byteCount: number;", "byteCount"],
  ["let jitter = 0.1;", "jitter"],
])("%s hides a unit", (text, name) => {
  expect(foundIn(units, FILE, text)[0]).toBe(`1 \`${name}\` hides its unit`);
});

test.each([
  "const timeoutMs = 5000;",
  "const DELAY_MAX_MS = 2 ** 31;",
  "let waitMsMax: number;",
  "let dueAtMs: MonotonicMs; let nowMs: MonotonicMs; let untilMs: MonotonicMs;",
  "let timeout: NodeJS.Timeout;",
  'let interval: string = "1 day";',
  "let timeoutCount: number;",
  "let bufferBytes: number;",
  "let waiters: number; let size: number; let length = 0;",
  "let jitterRatio = 0.1;",
  "let queriesPerSecond: number; let callsPerMinutes: number;",
  "let statement_timeout: number;",
  "test({ timeout: 60_000 });",
])("%s is well", (text) => {
  expect(foundIn(units, FILE, text)).toEqual([]);
});

test("folders that speak another library's language keep its names", () => {
  const text = "interface A { idleTimeoutMillis?: number }";
  expect(foundIn(units, "packages/forebay/src/compat/pg-pool.ts", text)).toEqual([]);
  expect(foundIn(units, FILE, text)).toHaveLength(1);
});
