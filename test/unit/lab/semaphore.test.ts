import { expect, test } from "vitest";
import { Semaphore } from "../../../packages/forebay-cli/src/lab/semaphore.ts";

/** Work that ends when it is told to. */
function task() {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { end, work: () => ended };
}

const never = new AbortController().signal;

test("a semaphore lets so many work at once, the others in turn", async () => {
  const semaphore = new Semaphore(2);
  const begun: number[] = [];
  const tasks = [task(), task(), task(), task()];
  const ends = tasks.map(({ work }, index) =>
    semaphore.run(() => {
      begun.push(index);
      return work();
    }, never),
  );
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  expect(semaphore.waiting).toBe(2);
  tasks[1]?.end();
  await ends[1];
  await Promise.resolve();
  expect(begun).toEqual([0, 1, 2]);
  for (const { end } of tasks) end();
  await Promise.all(ends);
  expect(begun).toEqual([0, 1, 2, 3]);
});

test("work that fails gives its place back", async () => {
  const semaphore = new Semaphore(1);
  const failing = semaphore.run(() => Promise.reject(new Error("no")), never);
  await expect(failing).rejects.toThrow("no");
  await expect(semaphore.run(() => Promise.resolve(7), never)).resolves.toBe(7);
});

test("who is aborted while he waits leaves the queue, and his place goes to the next", async () => {
  const semaphore = new Semaphore(1);
  const first = task();
  const controller = new AbortController();
  const held = semaphore.run(first.work, never);
  const aborted = semaphore.run(() => Promise.resolve("never"), controller.signal);
  const next = semaphore.run(() => Promise.resolve("next"), never);
  controller.abort(new Error("gone"));
  await expect(aborted).rejects.toThrow("gone");
  first.end();
  await held;
  await expect(next).resolves.toBe("next");
  const late = semaphore.run(() => Promise.resolve("late"), controller.signal);
  await expect(late).rejects.toThrow("gone");
});
