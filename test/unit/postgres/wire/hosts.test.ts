// Several servers in one configuration: which hosts, addresses and ports a string, options and the
// environment come to, as libpq reads them.

import { describe, expect, test } from "vitest";
import { seededRandom } from "../../../../packages/forebay/src/base/random.ts";
import {
  describeTarget,
  type PostgresOptions,
  resolveConfig,
} from "../../../../packages/forebay/src/postgres/wire/config.ts";
import { shuffled } from "../../../../packages/forebay/src/postgres/wire/hosts.ts";

/** `host:port`, with the address behind `=` and the path of a socket behind `@`. */
function hostsOf(connInfo: string, options: PostgresOptions = {}): string[] {
  const { hosts } = resolveConfig(connInfo, { env: {}, user: "app", ...options });
  return hosts.map(({ host, port, hostAddr, socketPath }) => {
    const address = hostAddr === undefined ? "" : `=${hostAddr}`;
    return `${host}:${port}${address}${socketPath === undefined ? "" : `@${socketPath}`}`;
  });
}

describe("the hosts of a connection string", () => {
  test.each<[string, readonly string[]]>([
    ["", ["localhost:5432"]],
    ["host=a,b,c", ["a:5432", "b:5432", "c:5432"]],
    ["host=a,b,c port=1,2,3", ["a:1", "b:2", "c:3"]],
    ["host=a,b,c port=6000", ["a:6000", "b:6000", "c:6000"]],
    ["host=a,b,c port=1,,3", ["a:1", "b:5432", "c:3"]],
    ["host=a,,c", ["a:5432", "localhost:5432", "c:5432"]],
    ["host=',' port=1,2", ["localhost:1", "localhost:2"]],
    ["host='a, b' port='1, 2'", ["a:1", "b:2"]],
    ["host=a,/run/pg port=1,2", ["a:1", "/run/pg:2@/run/pg/.s.PGSQL.2"]],
    ["host=@sock,::1", ["@sock:5432@\0sock/.s.PGSQL.5432", "::1:5432"]],
    ["hostaddr=10.0.0.1,::1", ["10.0.0.1:5432=10.0.0.1", "::1:5432=::1"]],
    ["host=a,b hostaddr=10.0.0.1,", ["a:5432=10.0.0.1", "b:5432"]],
    ["host=,b hostaddr=10.0.0.1,", ["10.0.0.1:5432=10.0.0.1", "b:5432"]],
    ["host=/run/pg hostaddr=10.0.0.1", ["/run/pg:5432=10.0.0.1"]],
    ["postgres://app@a:1,b:2/db", ["a:1", "b:2"]],
    ["postgres://app@a,b/db", ["a:5432", "b:5432"]],
    ["postgres://app@a:1,b/db", ["a:1", "b:5432"]],
    ["postgres://app@a,b:2,c/db", ["a:5432", "b:2", "c:5432"]],
    ["postgres://a,b", ["a:5432", "b:5432"]],
    ["postgres://[::1]:1,[fe80::2]:2,c", ["::1:1", "fe80::2:2", "c:5432"]],
    ["postgres://%2Frun%2Fpg:1,b", ["/run/pg:1@/run/pg/.s.PGSQL.1", "b:5432"]],
    ["postgres://,b", ["localhost:5432", "b:5432"]],
    ["postgres:///db?host=a,b&port=1,2", ["a:1", "b:2"]],
    ["postgres://a:1,b:2/db?port=6000", ["a:6000", "b:6000"]],
    ["postgres://a/db?hostaddr=10.0.0.1", ["a:5432=10.0.0.1"]],
  ])("%s are %j", (connInfo, hosts) => {
    expect(hostsOf(connInfo)).toEqual(hosts);
  });

  test.each([
    ["host=a,b port=1,2,3", "2 hosts, and 3 ports"],
    ["host=a,b,c port=1,2", "3 hosts, and 2 ports"],
    ["host=a port=1,2", "1 hosts, and 2 ports"],
    ["port=1,", "1 hosts, and 2 ports"],
    ["host=a,b hostaddr=10.0.0.1", "2 hosts, and 1 addresses"],
    ["host=a hostaddr=10.0.0.1,10.0.0.2", "1 hosts, and 2 addresses"],
    ["postgres://a,b/db?port=1,2,3", "2 hosts, and 3 ports"],
    ["host=a,b port=1,x", "port must be a whole number"],
    ["host=a,b port=1,65536", "from 1 to 65535"],
    ["host=a,b port=0,1", "from 1 to 65535"],
    ["postgres://a,b:c/db", "host must be"],
    ["postgres://[::1,b/db", "host must be"],
    ["postgres://a,[::1]x/db", "host must be"],
  ])("%s are refused: %s", (connInfo, reason) => {
    expect(() => hostsOf(connInfo)).toThrow(reason);
  });
});

describe("the hosts of options", () => {
  test("may be an array or a text with commas, and so may the ports", () => {
    for (const host of ["a,b", ["a", "b"]]) {
      expect(hostsOf("", { host })).toEqual(["a:5432", "b:5432"]);
      expect(hostsOf("", { host, port: 6000 })).toEqual(["a:6000", "b:6000"]);
      expect(hostsOf("", { host, port: [1, 2] })).toEqual(["a:1", "b:2"]);
      expect(hostsOf("", { host, port: "1,2" })).toEqual(["a:1", "b:2"]);
      expect(hostsOf("", { host, hostAddr: ["10.0.0.1", ""] })).toEqual([
        "a:5432=10.0.0.1",
        "b:5432",
      ]);
    }
  });

  test("go before those of the string, list by list", () => {
    expect(hostsOf("postgres://a:1,b:2/db", { host: ["c", "d"] })).toEqual(["c:1", "d:2"]);
    expect(hostsOf("postgres://a:1,b:2/db", { host: [] })).toEqual(["a:1", "b:2"]);
    expect(() => hostsOf("postgres://a:1,b:2/db", { host: "c" })).toThrow("1 hosts, and 2 ports");
  });

  test("yield to nothing else, and go before the environment", () => {
    const env = { PGHOST: "a,b", PGHOSTADDR: "10.0.0.1,10.0.0.2", PGPORT: "1,2" };
    expect(hostsOf("", { env })).toEqual(["a:1=10.0.0.1", "b:2=10.0.0.2"]);
    expect(hostsOf("", { env, host: "c,d" })).toEqual(["c:1=10.0.0.1", "d:2=10.0.0.2"]);
    // In a URL, the ports of several hosts are all said, even by saying nothing.
    expect(hostsOf("postgres://c,d", { env: { PGPORT: "6000" } })).toEqual(["c:5432", "d:5432"]);
    expect(hostsOf("postgres://c", { env: { PGPORT: "6000" } })).toEqual(["c:6000"]);
  });
});

test("a name for several hosts lists them", () => {
  const config = resolveConfig("postgres://app:hush@a:1,[::1]:2/shop", { env: {} });
  expect(describeTarget(config)).toBe("app@a:1,[::1]:2/shop");
});

test("channel binding is refused where one of the hosts is a socket", () => {
  const text = "host=a,/tmp user=app sslmode=require channel_binding=require";
  expect(() => resolveConfig(text, { env: {} })).toThrow("channel_binding");
});

test("shuffling loses nothing, repeats with its seed, and comes to every order alike", () => {
  const items = ["a", "b", "c"];
  const random = seededRandom(1);
  const counts = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const order = shuffled(items, random).join("");
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  expect([...counts.keys()].sort()).toEqual(["abc", "acb", "bac", "bca", "cab", "cba"]);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(120);
  expect(shuffled(items, seededRandom(7))).toEqual(shuffled(items, seededRandom(7)));
  expect(items).toEqual(["a", "b", "c"]);
});
