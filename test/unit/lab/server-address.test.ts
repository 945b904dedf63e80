import { expect, test } from "vitest";
import { ScenarioNotPossible } from "../../../packages/forebay-cli/src/lab/scenario.ts";
import { serverAddress } from "../../../packages/forebay-cli/src/lab/server-address.ts";

test.each([
  ["postgres://u:p@db.example:6000/x?sslmode=require", "db.example", 6000],
  ["postgres://u@127.0.0.1/x", "127.0.0.1", 5432],
  ["postgres://u@[::1]:5433/x", "::1", 5433],
])("the address in %s", (url, host, port) => {
  expect(serverAddress(url)).toEqual({ host, port });
});

test.each([
  "postgres:///x?host=/run/postgresql",
  "postgres://u@%2Frun%2Fpostgresql/x",
  "postgres://u@a,b/x",
  "postgres://u@a/x?hostaddr=10.0.0.1",
  "host=a port=5432",
])("%s does not name one server over TCP", (url) => {
  expect(() => serverAddress(url)).toThrow(ScenarioNotPossible);
});
