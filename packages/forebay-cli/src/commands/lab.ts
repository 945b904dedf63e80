// `forebay lab`: its subcommands, their options and their meaning. Running is in lab-run.ts.

import { type Command } from "commander";
import { explanationOf } from "../lab/explain/index.ts";
import { listScenarios } from "../lab/index.ts";
import { renderExplanation } from "../report/explain.ts";
import { unknownScenario } from "./lab-input.ts";
import { labRun, type RunOptions } from "./lab-run.ts";

/** Tells how the command went: 0, or 1 when a result falls short. Errors are thrown instead. */
export type SetStatus = (status: 0 | 1) => void;

const LIST_EXAMPLES = `
Example:
  $ forebay lab list

Scenarios marked --query can run a statement of yours: see
\`forebay lab run --help\`.
`;

const EXPLAIN_EXAMPLES = `
Example:
  $ forebay lab explain 3 | less
`;

const RUN_EXAMPLES = `
Examples:
  $ forebay lab run --all               all, on a server started for the run
  $ forebay lab run 1 3 --quick         two, in less time, with less certainty
  $ forebay lab run --html lab.html     with a report to read
  $ forebay lab run --json -            the report on standard output, only
  $ forebay lab run --junit lab.xml     for a CI system
  $ DATABASE_URL=postgres://app@db/app forebay lab run
                                        on a server of your own
  $ DATABASE_URL=postgres://app@db/app forebay lab run 2 \\
      --query 'SELECT name FROM users WHERE id = 42'
                                        with a statement of your own

Without --dsn and DATABASE_URL a PostgreSQL server is started, and removed
afterwards. Prefer DATABASE_URL for a URL with a password: other users can see
the options of a command.

Ends with 0, also when some scenarios were skipped; with 1 when Forebay falls
short of what it promises; with 2 when the input or the surroundings do not
allow a run, or every scenario was skipped; with 130 after Ctrl-C, when the
reports hold what there was.
`;

/** Adds `lab list`, `lab explain` and `lab run` to the program. */
export function addLabCommands(program: Command, setStatus: SetStatus): void {
  const lab = program
    .command("lab")
    .description("run the scenarios of the pool tuning guide on a real server");
  lab
    .command("list")
    .description("list the scenarios")
    .addHelpText("after", LIST_EXAMPLES)
    .action(() => {
      process.stdout.write(scenarioList());
    });
  lab
    .command("explain")
    .description("explain a scenario: why, the formula, what to set, when not to")
    .argument("<id>", "number of the scenario")
    .addHelpText("after", EXPLAIN_EXAMPLES)
    .action((id: string) => {
      process.stdout.write(explained(id));
    });
  lab
    .command("run")
    .description("run scenarios, before and after, and say what held")
    .argument("[ids...]", "numbers of the scenarios (default: all)")
    .option("--all", "all scenarios, as without numbers")
    .option("--dsn <url>", "the server to use; wins over DATABASE_URL")
    .option("--query <sql>", "a SELECT of yours, for those that take one")
    .option("--quick", "take less time, with less certainty")
    .option("--no-pin", "leave it to the system what runs on which processor")
    .option("--json <file>", "write the report as JSON; - for standard output")
    .option("--html <file>", "write the report as a web page")
    .option("--junit <file>", "write the checks as JUnit XML, for CI systems")
    .addHelpText("after", RUN_EXAMPLES)
    .action(async (ids: readonly string[], options: RunOptions) => {
      setStatus(await labRun(ids, options));
    });
}

function scenarioList(): string {
  const rows = listScenarios();
  const width = Math.max(...rows.map((row) => row.title.length));
  return rows
    .map(({ id, title, minutes, needs, takesQuery }) => {
      const time = `${minutes < 1 ? "<1" : Math.round(minutes)} min`;
      const query = takesQuery ? "--query" : "       ";
      const columns = [String(id).padStart(2), title.padEnd(width), time.padStart(6), query, needs];
      return `${columns.join("  ")}\n`;
    })
    .join("");
}

function explained(id: string): string {
  const explanation = /^\d+$/.test(id) ? explanationOf(Number(id)) : undefined;
  if (explanation === undefined) throw unknownScenario(id);
  const isRunnable = listScenarios().some((scenario) => scenario.id === explanation.id);
  return renderExplanation(explanation, process.stdout.columns ?? 80, isRunnable);
}
