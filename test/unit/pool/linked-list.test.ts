import { expect, test } from "vitest";
import { BugError } from "../../../packages/forebay/src/base/assert.ts";
import { type Linked, LinkedList } from "../../../packages/forebay/src/base/linked-list.ts";
import { randomBelow, seededRandom } from "../../../packages/forebay/src/base/random.ts";

interface Item extends Linked<Item> {
  readonly name: string;
}

const item = (name: string): Item => ({
  name,
  list: undefined,
  previous: undefined,
  next: undefined,
});

function listOf(...names: string[]): { list: LinkedList<Item>; items: Item[] } {
  const list = new LinkedList<Item>();
  const items = names.map(item);
  for (const each of items) list.append(each);
  return { list, items };
}

const namesOf = (list: LinkedList<Item>) => [...list].map(({ name }) => name);

/** The names from tail to head, by the links back. */
function namesBackwards(list: LinkedList<Item>): string[] {
  const names: string[] = [];
  for (let at = list.tail; at !== undefined; at = at.previous) names.push(at.name);
  return names;
}

test("an empty list has no items and no ends", () => {
  const { list } = listOf();
  expect([list.size, list.head, list.tail, namesOf(list)]).toEqual([0, undefined, undefined, []]);
});

test("items are in the order in which they were appended", () => {
  const { list, items } = listOf("a", "b", "c");
  expect(namesOf(list)).toEqual(["a", "b", "c"]);
  expect(namesBackwards(list)).toEqual(["c", "b", "a"]);
  expect([list.size, list.head, list.tail]).toEqual([3, items[0], items[2]]);
});

test.each([
  [0, ["b", "c"]],
  [1, ["a", "c"]],
  [2, ["a", "b"]],
])("removal of item %i of three leaves the others in order", (at, rest) => {
  const { list, items } = listOf("a", "b", "c");
  const removed = items[at] ?? item("none");
  list.remove(removed);
  expect(namesOf(list)).toEqual(rest);
  expect(namesBackwards(list)).toEqual(rest.toReversed());
  expect(list.size).toBe(2);
  expect(removed).toEqual(item(removed.name));
});

test("removal of the only item empties the list, and the item may be appended again", () => {
  const { list, items } = listOf("a");
  const only = items[0] ?? item("none");
  list.remove(only);
  expect([list.size, list.head, list.tail]).toEqual([0, undefined, undefined]);
  list.append(only);
  expect(namesOf(list)).toEqual(["a"]);
});

test("an item is in one list at a time", () => {
  const { list, items } = listOf("a");
  const other = new LinkedList<Item>();
  const only = items[0] ?? item("none");
  expect(() => list.append(only)).toThrow(BugError);
  expect(() => other.append(only)).toThrow(BugError);
  expect(() => other.remove(only)).toThrow(BugError);
  expect(() => other.remove(item("b"))).toThrow(BugError);
  expect([namesOf(list), namesOf(other)]).toEqual([["a"], []]);
});

test("the item just given may be removed while iterating", () => {
  const { list } = listOf("a", "b", "c", "d");
  const seen: string[] = [];
  for (const each of list) {
    seen.push(each.name);
    if (each.name !== "b") list.remove(each);
  }
  expect(seen).toEqual(["a", "b", "c", "d"]);
  expect(namesOf(list)).toEqual(["b"]);
});

test("after any appends and removals the list is what an array would be", () => {
  const random = seededRandom(11);
  const list = new LinkedList<Item>();
  const array: Item[] = [];
  for (let step = 0; step < 2000; step++) {
    if (array.length === 0 || randomBelow(random, 2) === 0) {
      const added = item(`${step}`);
      list.append(added);
      array.push(added);
    } else {
      const [removed] = array.splice(randomBelow(random, array.length), 1);
      list.remove(removed ?? item("none"));
    }
    expect(list.size).toBe(array.length);
    expect([list.head, list.tail]).toEqual([array[0], array.at(-1)]);
  }
  expect(namesOf(list)).toEqual(array.map(({ name }) => name));
});

test("an item is put before another of the same list, or at the tail", () => {
  const { list, items } = listOf("a", "b");
  const [a, b] = items;
  list.insertBefore(item("first"), a);
  list.insertBefore(item("middle"), b);
  list.insertBefore(item("last"), undefined);
  expect(namesOf(list)).toEqual(["first", "a", "middle", "b", "last"]);
  expect([list.head?.name, list.tail?.name, list.size]).toEqual(["first", "last", 5]);
  expect(() => list.insertBefore(a ?? item("none"), b)).toThrow(BugError);
  expect(() => list.insertBefore(item("c"), item("stranger"))).toThrow(BugError);
});
