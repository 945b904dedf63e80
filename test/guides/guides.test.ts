// The guides: every example is a program that a reader can run, and prints what the page shows.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type PgConnection, postgres } from "../../packages/forebay/src/postgres/index.ts";
import { type DB, openDB } from "../../packages/forebay/src/sql/db.ts";
import { essence, examplesIn, surroundingsIn } from "../support/examples.ts";
import { PackedProject, REPO } from "../support/packed-project.ts";

const GUIDES = join(REPO, "docs/guides");
/** Its blocks are parts of whole files, which have a test of their own. */
const TESTED_ELSEWHERE = "writing-a-driver.md";

const pages = readdirSync(GUIDES)
  .filter((file) => file !== TESTED_ELSEWHERE)
  .map((file) => {
    const text = readFileSync(join(GUIDES, file), "utf8");
    const name = file.replace(".md", "").replaceAll("-", "_");
    return { name, examples: examplesIn(file, text), surroundings: surroundingsIn(text) };
  })
  // The page of the lab has commands only.
  .filter(({ examples }) => examples.length > 0);

let project: PackedProject;
let admin: DB<PgConnection>;

beforeAll(() => {
  admin = openDB(postgres(inject("postgresUrl"), { env: {} }));
  project = new PackedProject();
  for (const { name, examples } of pages) {
    for (const { line, code } of examples)
      project.write(`${name}-${line}.ts`, `${code}\nexport {};`);
  }
  const complaints = project.compile();
  if (complaints !== "") throw new Error(complaints);
});

afterAll(async () => {
  project.remove();
  await admin.close();
});

describe.each(pages)("$name", ({ name, examples, surroundings }) => {
  const template = `guide_${name}`;

  beforeAll(async () => {
    await admin.exec(`CREATE DATABASE ${template}`);
    await withDatabase(template, (db) => db.exec(surroundings));
  });

  afterAll(() => admin.exec(`DROP DATABASE ${template}`));

  test.each(examples)("the example at line $line prints what the page shows", async (example) => {
    const database = `${template}_${example.line}`;
    await admin.exec(`CREATE DATABASE ${database} TEMPLATE ${template}`);
    try {
      const run = await project.runCompiled(`${name}-${example.line}`, environment(database));
      expect(essence(run.stdout)).toBe(essence(example.output));
      expect(run.stderr).toBe("");
    } finally {
      await admin.exec(`DROP DATABASE ${database} WITH (FORCE)`);
    }
  });
});

async function withDatabase<T>(database: string, fn: (db: DB) => Promise<T>): Promise<void> {
  const db = openDB(postgres(inject("postgresUrl"), { env: {}, database }));
  await fn(db);
  await db.close();
}

/** What a reader would have set for `psql`. */
function environment(database: string): Record<string, string> {
  const url = new URL(inject("postgresUrl"));
  return {
    PGHOST: inject("postgresHost"),
    PGPORT: String(inject("postgresPort")),
    PGUSER: inject("postgresSuperuser"),
    PGPASSWORD: inject("postgresPassword"),
    PGDATABASE: database,
    PGSSLMODE: url.searchParams.get("sslmode") ?? "prefer",
  };
}
