import { expect, test } from "vitest";
import { getEventListeners } from "node:events";
import { FakeDatabase } from "../../../packages/forebay/src/testing/fake-database.ts";
import { outcome, rejection } from "../../support/fake-database.ts";

test("it logs each call, and answers as it is told", async () => {
  const database = new FakeDatabase();
  const conn = await database.connect();
  database.answer = (_sql, args) => ({ rows: [...args] });
  expect(await conn.query("SELECT $1", [{ id: 7 }])).toMatchObject({ rows: [{ id: 7 }] });
  await (await database.connect()).begin({ isolation: "serializable" });
  expect(database.log).toEqual(["1 query SELECT $1", "2 begin serializable"]);
  expect(database.calls).toEqual(["query SELECT $1", "begin serializable"]);
});

test("the next call of a kind fails as told, those behind it succeed", async () => {
  const database = new FakeDatabase();
  const conn = await database.connect();
  const error = new Error("no");
  database.failNext("query", error, "dead");
  expect(await rejection(conn.query("SELECT 1", []))).toBe(error);
  expect(conn.isValid()).toBe(false);
  await conn.query("SELECT 2", []);
});

test.each([
  ["released", undefined],
  ["aborted", "enough"],
  ["closed", new Error("the connection was closed")],
])("a call that hangs ends when it is %s, and leaves no listener", async (how, error) => {
  const database = new FakeDatabase();
  const controller = new AbortController();
  const { signal } = controller;
  const conn = await database.connect();
  const hang = database.hangNext("query");
  const ended = outcome(conn.query("SELECT 1", [], { signal }));
  await hang.reached;
  if (how === "released") hang.release();
  else if (how === "closed") conn.close();
  else controller.abort("enough");
  expect((await ended).error).toEqual(error);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("a dial that hangs ends when it is aborted", async () => {
  const database = new FakeDatabase();
  const controller = new AbortController();
  const hang = database.hangNext("connect");
  const ended = rejection(database.connect({ signal: controller.signal }));
  await hang.reached;
  controller.abort("enough");
  expect(await ended).toBe("enough");
  expect(database.conns).toEqual([]);
});

test("a connection that the server ends says so once, and is no more valid", async () => {
  const database = new FakeDatabase();
  const reasons: unknown[] = [];
  const conn = await database.connect({ onLost: (reason) => reasons.push(reason) });
  conn.lose("gone");
  conn.lose("again");
  expect(reasons).toEqual(["gone"]);
  expect(conn.isValid()).toBe(false);
});

test("a call during another, and one after close, break the contract", async () => {
  const database = new FakeDatabase();
  const conn = await database.connect();
  const hang = database.hangNext("query");
  const first = outcome(conn.query("SELECT 1", []));
  await hang.reached;
  expect(await rejection(conn.query("SELECT 2", []))).toBeInstanceOf(Error);
  hang.release();
  await first;
  conn.close();
  expect(await rejection(conn.ping?.() ?? Promise.resolve())).toBeInstanceOf(Error);
  expect(database.violations).toEqual([
    "1: query SELECT 2 during query SELECT 1",
    "1: ping after close",
  ]);
});
