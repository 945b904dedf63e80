import fc from "fast-check";
import { expect, test } from "vitest";
import { Queue } from "../../packages/forebay/src/base/queue.ts";

test("a queue gives what it was given, in order, through any growth and wrapping", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (pushes) => {
      const queue = new Queue<number>();
      const expected: number[] = [];
      pushes.forEach((push, at) => {
        const wanted = push ? expected.push(at) : expected.shift();
        if (push) queue.push(at);
        expect(push ? queue.size : queue.shift()).toBe(wanted);
      });
      while (expected.length > 0) expect(queue.shift()).toBe(expected.shift());
      expect(queue.shift()).toBeUndefined();
    }),
  );
});

test("a queue keeps its order when it grows while its items wrap", () => {
  const queue = new Queue<number>();
  for (let item = 0; item < 12; item++) queue.push(item);
  for (let item = 0; item < 10; item++) expect(queue.shift()).toBe(item);
  for (let item = 12; item < 60; item++) queue.push(item);
  for (let item = 10; item < 60; item++) expect(queue.shift()).toBe(item);
});
