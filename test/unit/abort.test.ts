import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { addAbortListener, removeAbortListener } from "../../packages/forebay/src/base/abort.ts";
import { poolBench } from "../support/pool.ts";
import { watch } from "./pool/steps.ts";

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, "abort").length;

test("all are told once, in the order in which they came, by one listener", () => {
  const controller = new AbortController();
  const { signal } = controller;
  const told: string[] = [];
  addAbortListener(signal, () => told.push("function"));
  addAbortListener(signal, { handleEvent: () => told.push("object") });
  expect(listenersOf(signal)).toBe(1);
  controller.abort();
  controller.abort();
  expect(told).toEqual(["function", "object"]);
  expect(listenersOf(signal)).toBe(0);
});

test("who was removed is not told, and the last to go takes the listener along", () => {
  const controller = new AbortController();
  const { signal } = controller;
  const told: string[] = [];
  const one = () => told.push("one");
  const two = () => told.push("two");
  addAbortListener(signal, one);
  addAbortListener(signal, two);
  addAbortListener(signal, two);
  removeAbortListener(signal, one);
  removeAbortListener(signal, one);
  expect(listenersOf(signal)).toBe(1);
  removeAbortListener(signal, two);
  expect(listenersOf(signal)).toBe(0);
  removeAbortListener(signal, two);
  addAbortListener(signal, one);
  controller.abort();
  expect(told).toEqual(["one"]);
});

test("who is removed by one that is told first is not told", () => {
  const controller = new AbortController();
  const { signal } = controller;
  const told: string[] = [];
  const second = () => told.push("second");
  addAbortListener(signal, () => {
    told.push("first");
    removeAbortListener(signal, second);
    addAbortListener(signal, () => told.push("too late"));
  });
  addAbortListener(signal, second);
  controller.abort();
  expect(told).toEqual(["first"]);
});

test("a signal that was aborted tells nobody any more, and one never met removes nothing", () => {
  const told: string[] = [];
  const aborted = AbortSignal.abort();
  addAbortListener(aborted, () => told.push("late"));
  removeAbortListener(new AbortController().signal, () => undefined);
  expect(told).toEqual([]);
});

test("one signal for a hundred acquires is no leak to be warned of", async () => {
  const bench = poolBench({ maxOpenConns: 1 });
  const controller = new AbortController();
  const { signal } = controller;
  const seen = Array.from({ length: 100 }, () => watch(bench.pool.acquire({ signal })));
  expect(listenersOf(signal)).toBe(1);
  await bench.advance(0);
  const reason = new Error("enough");
  controller.abort(reason);
  await bench.advance(0);
  expect(seen.filter(({ state }) => state === "resolved")).toHaveLength(1);
  expect(seen.filter((each) => each.reason === reason)).toHaveLength(99);
  expect(listenersOf(signal)).toBe(0);
});
