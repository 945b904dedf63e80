// Under which account, and in which directory, an embedded server runs. PostgreSQL refuses to run
// as root.

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { CliError } from "../errors.ts";

/** An unprivileged account of this machine. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The accounts that are tried, the best first. The second exists wherever there are accounts at
 * all.
 */
const NAMES = ["postgres", "nobody"];

/** The account that the server needs: `undefined` when it can run as whoever runs this process. */
export function serverAccount(passwdFile = "/etc/passwd"): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const rows = fs.readFileSync(passwdFile, "utf8").split("\n");
  for (const name of NAMES) {
    const fields = rows.map((row) => row.split(":")).find((row) => row[0] === name);
    const account = { uid: Number(fields?.[2]), gid: Number(fields?.[3]) };
    if (account.uid > 0 && account.gid > 0) return account;
  }
  throw new CliError(
    "SERVER_START_FAILED",
    "PostgreSQL does not run as root, and there is neither an account `postgres` nor `nobody`",
    "Run forebay as an ordinary user, or use a server of your own with --dsn or DATABASE_URL.",
  );
}

/**
 * A directory for temporary files: the one that this process is set to, or, when `account` could
 * not get into that, the system's.
 */
export function temporaryDirectory(account: Account | undefined): string {
  const own = fs.realpathSync(os.tmpdir());
  if (account === undefined || opensToEveryone(own)) return own;
  for (const other of ["/tmp", "/var/tmp"]) {
    if (fs.existsSync(other) && opensToEveryone(fs.realpathSync(other))) return other;
  }
  throw new CliError(
    "SERVER_START_FAILED",
    "PostgreSQL does not run as root, and no temporary directory is open to other accounts",
    "Set TMPDIR to a directory that every user may enter.",
  );
}

function opensToEveryone(directory: string): boolean {
  for (let at = directory; ; at = path.dirname(at)) {
    if ((fs.statSync(at).mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}
