import { describe, expect, test } from "vitest";
import { checkQueryText, QueryRefused } from "../../../packages/forebay-cli/src/lab/query.ts";

describe("a statement of the user's is taken", () => {
  test.each([
    ["SELECT 1", "SELECT 1"],
    ["  select name\nfrom users ; -- the end", "select name\nfrom users"],
    ["/* one /* two */ ; */ SELECT 1;", "/* one /* two */ ; */ SELECT 1"],
    ["WITH a AS (SELECT 1) TABLE a", "WITH a AS (SELECT 1) TABLE a"],
    ["(SELECT 1) UNION (SELECT 2)", "(SELECT 1) UNION (SELECT 2)"],
    ["SELECT ';', \"a;b\", $$;$$, $x$ $$;' $x$, E'\\';'", undefined],
    ["SELECT E'\\'; DELETE FROM users --'", undefined],
    ["SELECT 'it''s $1; really'", undefined],
    ["SELECT a$1 FROM t", undefined],
  ])("%s", (text, taken = text) => {
    expect(checkQueryText(text)).toBe(taken);
  });
});

describe("a statement is refused, with the reason, before anything is started:", () => {
  test.each([
    ["", "it is empty"],
    ["-- SELECT 1", "it is empty"],
    ["SELECT 1; DROP TABLE users", "it holds more than one statement"],
    ["SELECT 1;;", "it holds more than one statement"],
    ["SELECT $$a$$; DELETE FROM users -- $$", "it holds more than one statement"],
    ["SELECT '\\'; DELETE FROM users --'", "it holds more than one statement"],
    ["SELECT date'\\'; DELETE FROM users --'", "it holds more than one statement"],
    ["DELETE FROM users", "it does not begin with SELECT or WITH"],
    ["EXPLAIN ANALYZE DELETE FROM users", "it does not begin with SELECT or WITH"],
    ["SELECTED", "it does not begin with SELECT or WITH"],
    ["SELECT name FROM users WHERE id = $1", "it has a parameter, $1, for which there is no value"],
    ["SELECT 'a", "a quotation or a comment in it has no end"],
    ["SELECT 1 /* a", "a quotation or a comment in it has no end"],
  ])("%s", (text, why) => {
    expect(() => checkQueryText(text)).toThrow(new QueryRefused(why));
  });
});
