// An item that is put before another of its list.

import { expect, test } from "vitest";
import { BugError } from "../../../packages/forebay/src/base/assert.ts";
import { type Linked, LinkedList } from "../../../packages/forebay/src/base/linked-list.ts";

interface Item extends Linked<Item> {
  readonly name: string;
}

const item = (name: string): Item => ({
  name,
  list: undefined,
  previous: undefined,
  next: undefined,
});

/** The list's names, which are the same from both ends, and as many as it counts. */
function namesOf(list: LinkedList<Item>): string[] {
  const names = [...list].map(({ name }) => name);
  const back: string[] = [];
  for (let at = list.tail; at !== undefined; at = at.previous) back.unshift(at.name);
  expect(back).toEqual(names);
  expect(list.size).toBe(names.length);
  expect([list.head?.name, list.tail?.name]).toEqual([names[0], names.at(-1)]);
  return names;
}

test("an item goes to the head, between two, or to the tail where there is no other", () => {
  const list = new LinkedList<Item>();
  const [a, b, c, d] = [item("a"), item("b"), item("c"), item("d")];
  list.insertBefore(c, undefined);
  expect(namesOf(list)).toEqual(["c"]);
  list.insertBefore(a, c);
  expect(namesOf(list)).toEqual(["a", "c"]);
  list.insertBefore(b, c);
  expect(namesOf(list)).toEqual(["a", "b", "c"]);
  list.insertBefore(d, undefined);
  expect(namesOf(list)).toEqual(["a", "b", "c", "d"]);
  list.remove(a);
  list.remove(b);
  expect(namesOf(list)).toEqual(["c", "d"]);
});

test("an item of a list is not put into another, nor before one of another", () => {
  const [list, other] = [new LinkedList<Item>(), new LinkedList<Item>()];
  const [a, b, c] = [item("a"), item("b"), item("c")];
  list.append(a);
  other.append(b);
  expect(() => list.insertBefore(b, a)).toThrow(BugError);
  expect(() => list.insertBefore(c, b)).toThrow(BugError);
  expect([namesOf(list), namesOf(other)]).toEqual([["a"], ["b"]]);
});
