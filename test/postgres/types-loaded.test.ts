// Types that the database has of its own, and codecs that the user gives, on a real server.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import {
  type PgCodec,
  type PgConnection,
  postgres,
  type PostgresConnector,
  type PostgresOptions,
  Range,
} from "../../packages/forebay/src/postgres/index.ts";

const SCHEMA = `
CREATE SCHEMA app;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy, "very"');
CREATE TYPE app.street AS (name text, number int4);
CREATE TYPE app.address AS
  (street app.street, city text, since date, "__proto__" numeric, tags text[]);
CREATE DOMAIN app.percent AS int4 CHECK (value BETWEEN 0 AND 100);
CREATE TYPE app.moods AS RANGE (subtype = mood);
CREATE TABLE app.people (id int4, gone int4, feels mood, lives app.address, done app.percent);
ALTER TABLE app.people DROP COLUMN gone;
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
`;
const LOAD = ["mood", "app.address", "app.percent", "app.moods", "app.people", "hstore"];

let admin: PgConnection;
let url: string;
const open: PgConnection[] = [];

async function connectTo(
  connector: PostgresConnector,
  settings?: PostgresOptions,
): Promise<PgConnection> {
  const connection = await connector.connect({
    signal: new AbortController().signal,
    onLost: () => undefined,
    settings,
  });
  open.push(connection);
  return connection;
}

function connectorWith(types: PostgresOptions["types"]): PostgresConnector {
  return postgres(url, { types });
}

beforeAll(async () => {
  admin = await connectTo(postgres(inject("postgresUrl")));
  await admin.query("CREATE DATABASE own_types", []);
});

afterAll(async () => {
  await admin.query("DROP DATABASE own_types WITH (FORCE)", []);
  await admin.close();
});

beforeEach(async () => {
  open.length = 0;
  const target = new URL(inject("postgresUrl"));
  target.pathname = "/own_types";
  url = target.href;
  const session = await connectTo(postgres(url));
  await session.query(SCHEMA, []);
});

afterEach(async () => {
  await Promise.all(open.map((connection) => connection.close()));
  const session = await connectTo(postgres(url));
  await session.query(
    "DROP SCHEMA app CASCADE; DROP TYPE mood CASCADE; DROP EXTENSION hstore, ltree CASCADE",
    [],
  );
  await session.close();
});

/** Asks without and with a prepared statement. */
async function ask(on: PgConnection, sql: string, args: readonly unknown[]): Promise<unknown[]> {
  const loose = await on.query(sql, args, { rowMode: "array" });
  const statement = await on.prepare(sql);
  const known = await statement.query(args, { rowMode: "array" });
  await statement.close();
  expect(known.rows).toStrictEqual(loose.rows);
  expect(known.columns).toEqual(loose.columns);
  return known.rows[0] as unknown[];
}

const HOME = {
  street: { name: 'Elm "St", (1)', number: 5 },
  city: null,
  since: "2024-02-29",
  ["__proto__"]: "1.50",
  tags: ["a,b", null, 'c"\\'],
};

describe("types that are loaded by name", () => {
  it("are read alike from both formats: enums, composites, domains, ranges, arrays", async () => {
    const on = await connectTo(connectorWith({ load: LOAD }));
    const sql = `SELECT 'happy, "very"'::mood, ARRAY['sad', NULL]::mood[], 5::app.percent,
      ARRAY[1, 2]::app.percent[], '[sad,ok]'::app.moods, '{[sad,ok]}'::app.moods_multirange,
      ROW(ROW('x', 1), 'y', NULL, 2, '{}')::app.address, ARRAY[ROW(NULL, NULL)::app.street],
      ROW(1, 'ok', NULL, 7)::app.people, 'a=>1'::hstore`;
    const row = await ask(on, sql, []);
    expect(row).toEqual([
      'happy, "very"',
      ["sad", null],
      5,
      [1, 2],
      new Range("sad", "ok", "[]"),
      [new Range("sad", "ok", "[]")],
      { street: { name: "x", number: 1 }, city: "y", since: null, ["__proto__"]: "2", tags: [] },
      [{ name: null, number: null }],
      { id: 1, feels: "ok", lives: null, done: 7 },
      '"a"=>"1"',
    ]);
  });

  it("name their columns", async () => {
    const on = await connectTo(connectorWith({ load: LOAD }));
    const { columns } = await on.query("SELECT 'ok'::mood AS a, '{}'::app.street[] AS b", []);
    expect(columns).toEqual([
      { name: "a", type: "mood" },
      { name: "b", type: "street[]" },
    ]);
  });

  it("keep an attribute named __proto__ a property like any other", async () => {
    const on = await connectTo(connectorWith({ load: LOAD }));
    const [home] = await ask(on, "SELECT ROW(NULL, NULL, NULL, 7, NULL)::app.address", []);
    expect(Object.getPrototypeOf(home)).toBe(Object.prototype);
    expect(Object.keys(home as object)).toEqual(["street", "city", "since", "__proto__", "tags"]);
    expect(Object.getOwnPropertyDescriptor(home, "__proto__")?.value).toBe("7");
  });

  it("are written from objects and arrays, within each other, arrays and ranges", async () => {
    const on = await connectTo(connectorWith({ load: LOAD }));
    const back = async (type: string, value: unknown) =>
      (await ask(on, `SELECT $1::${type}`, [value]))[0];
    expect(await back("app.address", HOME)).toEqual(HOME);
    expect(await back("app.address", { city: "x" })).toEqual({
      street: null,
      city: "x",
      since: null,
      ["__proto__"]: null,
      tags: null,
    });
    expect(await back("app.address[]", [HOME, null])).toEqual([HOME, null]);
    expect(await back("app.people", { id: 1, lives: HOME })).toEqual({
      id: 1,
      feels: null,
      lives: HOME,
      done: null,
    });
    expect(await back("app.street", { name: "a", number: 7n })).toEqual({ name: "a", number: 7 });
    expect(await back("mood[]", ["sad", null])).toEqual(["sad", null]);
    expect(await back("app.percent", 50)).toBe(50);
    expect(await back("app.percent[]", [1, null])).toEqual([1, null]);
    const moods = new Range("sad", "ok", "[]");
    expect(await back("app.moods", moods)).toEqual(moods);
    expect(await back("app.moods[]", [moods, null])).toEqual([moods, null]);
    expect(await back("hstore", "a=>NULL")).toBe('"a"=>NULL');
    const statement = await on.prepare("SELECT $1::app.street AS s");
    expect((await statement.query([["b", null]])).rows).toEqual([
      { s: { name: "b", number: null } },
    ]);
  });

  it("are refused with what does not fit, before anything is sent", async () => {
    const on = await connectTo(connectorWith({ load: LOAD }));
    for (const value of [{ nam: "x" }, ["x"], 5, true, { name: () => 1 }]) {
      const statement = await on.prepare("SELECT $1::app.street");
      await expect(statement.query([value])).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
    }
    expect((await on.query("SELECT 1 AS n", [])).rows).toEqual([{ n: 1 }]);
  });

  it("stream like all others", async () => {
    const on = await connectTo(connectorWith({ load: LOAD }));
    const rows = await on.stream("SELECT $1::app.street AS s", [{ name: "a" }]);
    expect(await rows.next()).toEqual([{ s: { name: "a", number: null } }]);
    await rows.close();
  });

  it("stop a connection from being made where there is none of a name", async () => {
    for (const load of [["mood", "nothing"], ["nowhere.address"], ["app."], ["no such type"]]) {
      const connecting = connectTo(connectorWith({ load }));
      await expect(connecting).rejects.toMatchObject({ code: "TYPE_UNKNOWN" });
    }
    const left = await admin.query(
      "SELECT count(*) FROM pg_stat_activity WHERE datname = 'own_types' AND query LIKE '%to_reg%'",
      [],
    );
    expect(left.rows).toEqual([{ count: 0 }]);
  });

  it("are looked up once for all connections of a connector", async () => {
    const connector = connectorWith({ load: ["mood"] });
    await connectTo(connector);
    const second = await connectTo(connector);
    await second.query("DROP TYPE mood CASCADE", []);
    const third = await connectTo(connector, { applicationName: "third" });
    expect((await third.query("SELECT 1 AS n", [])).rows).toEqual([{ n: 1 }]);
    await third.query("CREATE TYPE mood AS ENUM ('new')", []);
  });

  it("are looked up again when a statement is prepared that has a type made anew", async () => {
    const on = await connectTo(connectorWith({ load: ["app.street"] }));
    await on.query("DROP TYPE app.street CASCADE; CREATE TYPE app.street AS (no int4)", []);
    const statement = await on.prepare("SELECT $1::app.street AS s");
    expect((await statement.query([{ no: 5 }])).rows).toEqual([{ s: { no: 5 } }]);
  });

  it("are looked up again, at a reset, after text showed one made anew", async () => {
    const on = await connectTo(connectorWith({ load: ["app.street"] }));
    await on.query("DROP TYPE app.street CASCADE; CREATE TYPE app.street AS (no int4)", []);
    const sql = "SELECT ROW(5)::app.street AS s";
    expect((await on.query(sql, [])).rows).toEqual([{ s: "(5)" }]);
    await on.resetSession();
    expect((await on.query(sql, [])).rows).toEqual([{ s: { no: 5 } }]);
    expect(on.resetSession()).toBeUndefined();
  });

  it("that were altered fail one statement, and are looked up again", async () => {
    const on = await connectTo(connectorWith({ load: ["app.street"] }));
    await on.query("ALTER TYPE app.street ADD ATTRIBUTE floor int4", []);
    const sql = "SELECT ROW('a', 1, 2)::app.street AS s";
    await expect(on.query(sql, [])).rejects.toMatchObject({ code: "VALUE_OUT_OF_RANGE" });
    await on.resetSession();
    expect((await on.query(sql, [])).rows).toEqual([{ s: { name: "a", number: 1, floor: 2 } }]);
  });

  it("that nobody asked for are text, and looked for in vain once only", async () => {
    const on = await connectTo(connectorWith({ load: ["mood"] }));
    const statement = await on.prepare("SELECT 'a.b'::ltree AS path");
    expect((await statement.query([])).rows).toEqual([{ path: "a.b" }]);
    await on.query("SELECT 'a.b'::ltree", []);
    expect(on.resetSession()).toBeUndefined();
  });

  it("keep to text what has a member without a binary format that means the same", async () => {
    const on = await connectTo(connectorWith({ load: ["app.street"] }));
    await on.query("CREATE TYPE app.odd AS (at regclass, path ltree, acl aclitem)", []);
    const other = await connectTo(connectorWith({ load: ["app.odd"] }));
    const [odd] = await ask(other, "SELECT ROW('pg_type', 'a.b', NULL)::app.odd", []);
    expect(odd).toEqual({ at: "pg_type", path: "a.b", acl: null });
  });
});

interface Labels {
  readonly labels: string[];
}

const ltree: PgCodec<Labels> = {
  fromText: (text) => ({ labels: text.split(".") }),
  toText: ({ labels }) => labels.join("."),
};

const ltreeBinary: PgCodec<Labels> = {
  ...ltree,
  fromBinary: (bytes) => ltree.fromText(bytes.toString("utf8", 1)),
  toBinary: (value) => Buffer.from(`\u0001${ltree.toText(value)}`),
};

const lossless: PgCodec<{ readonly json: string }> = {
  fromText: (text) => ({ json: text }),
  toText: ({ json }) => json,
};

describe("codecs that are given", () => {
  it.each([
    ["text", ltree],
    ["both formats", ltreeBinary],
  ])("for a type of an extension read and write it, with %s", async (_, codec) => {
    const on = await connectTo(connectorWith({ codecs: { ltree: codec }, load: ["app.street"] }));
    const path = { labels: ["a", "b"] };
    expect(await ask(on, "SELECT $1::ltree, 'x'::ltree, NULL::ltree", [path])).toEqual([
      path,
      { labels: ["x"] },
      null,
    ]);
    expect(await ask(on, "SELECT $1::ltree[]", [[path, null]])).toEqual([[path, null]]);
    expect(await ask(on, "SELECT $1::ltree", ["c.d"])).toEqual([{ labels: ["c", "d"] }]);
  });

  it("may be given by number, and hold within arrays, ranges and composites", async () => {
    const epochDay: PgCodec<Date> = {
      accepts: (value) => value instanceof Date,
      fromText: (text) => new Date(`${text}T00:00:00Z`),
      toText: (value) => value.toISOString().slice(0, 10),
    };
    const types = { codecs: { 3802: lossless, 1082: epochDay }, load: ["app.address"] };
    const on = await connectTo(connectorWith(types));
    const day = new Date("2024-02-29T00:00:00Z");
    expect(await ask(on, "SELECT '1e2'::jsonb, $1::jsonb[]", [[{ json: "7" }]])).toEqual([
      { json: "100" },
      [{ json: "7" }],
    ]);
    const range = new Range(day, null);
    expect(await ask(on, "SELECT $1::date, $2::daterange", [day, range])).toEqual([day, range]);
    const [home] = await ask(on, "SELECT $1::app.address", [{ since: day }]);
    expect(home).toMatchObject({ since: day });
  });

  it("leave to the client the parameters that they do not accept", async () => {
    const on = await connectTo(connectorWith({ codecs: { jsonb: lossless } }));
    expect(await ask(on, "SELECT $1::jsonb, $2::jsonb", ['{"a":1}', 5])).toEqual([
      { json: '{"a": 1}' },
      { json: "5" },
    ]);
  });

  it("fail the statement when they throw, and leave the connection good", async () => {
    const secret = new Error("secret");
    const fail = (): never => {
      throw secret;
    };
    const good: PgCodec = { accepts: () => true, fromText: String, toText: String };
    const failed = { code: "CODEC_FAILED", cause: secret };
    const cases: [codec: PgCodec, sql: string, args: unknown[], failure: object][] = [
      [{ ...good, fromText: fail }, "SELECT 'a'::ltree", [], failed],
      [{ ...good, toText: fail }, "SELECT $1::ltree", ["a"], { cause: failed }],
      [{ ...good, accepts: fail }, "SELECT $1::ltree", ["a"], failed],
    ];
    for (const [codec, sql, args, expected] of cases) {
      const on = await connectTo(connectorWith({ codecs: { ltree: codec } }));
      const failure: unknown = await on.query(sql, args).catch((error: unknown) => error);
      expect(failure).toMatchObject(expected);
      expect(String(failure)).not.toContain("secret");
      const statement = await on.prepare(sql);
      await expect(statement.query(args)).rejects.toMatchObject(expected);
      expect((await on.query("SELECT 1 AS n", [])).rows).toEqual([{ n: 1 }]);
    }
  });

  it("fail the statement when they return what cannot be sent", async () => {
    const odd: PgCodec = {
      fromText: String,
      toText: () => 5 as never,
      toBinary: () => "x" as never,
    };
    for (const codec of [odd, { fromText: odd.fromText, toText: odd.toText }]) {
      const on = await connectTo(connectorWith({ codecs: { ltree: codec } }));
      await expect(on.query("SELECT $1::ltree", [{}])).rejects.toMatchObject({
        code: "ARGUMENT_INVALID",
        cause: { code: "CODEC_FAILED" },
      });
      expect((await on.query("SELECT 'a'::ltree AS p", [])).rows).toEqual([{ p: "a" }]);
    }
  });

  it("stop a connection from being made where the database has no such type", async () => {
    const connecting = connectTo(connectorWith({ codecs: { nothing: ltree } }));
    await expect(connecting).rejects.toMatchObject({ code: "TYPE_UNKNOWN" });
  });
});
