// The file of passwords that libpq's programs share, ~/.pgpass. Read anew for each dial, since
// others may write it meanwhile.

import { readFile, stat } from "node:fs/promises";

/** For what a password is asked. */
export interface PasswordRequest {
  /** A name, an address, or the directory of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

/** The directories in which libpq looks for a server's socket, depending on who built it. */
const SOCKET_DIRECTORIES: readonly string[] = ["/tmp", "/var/run/postgresql"];

/**
 * The password that the text of the file has for `key`: that of the first line that fits.
 * `undefined` when none does.
 */
export function findPassword(text: string, key: PasswordRequest): string | undefined {
  const hosts = SOCKET_DIRECTORIES.includes(key.host) ? [key.host, "localhost"] : [key.host];
  for (const line of text.split(/\r?\n/u)) {
    if (line.startsWith("#")) continue;
    const [host, port, database, user, password] = fieldsOf(line);
    if (
      password !== undefined &&
      hosts.some((name) => fits(host, name)) &&
      fits(port, String(key.port)) &&
      fits(database, key.database) &&
      fits(user, key.user)
    ) {
      return unescaped(password);
    }
  }
  return undefined;
}

/** As they are written: an escaped `*` is not the one that fits everything. */
function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  let field = "";
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (character === ":") {
      fields.push(field);
      field = "";
      continue;
    }
    field += character;
    if (character === "\\") field += line.charAt(++at);
  }
  return [...fields, field];
}

function fits(field: string | undefined, value: string): boolean {
  return field === "*" || (field !== undefined && unescaped(field) === value);
}

function unescaped(field: string): string {
  return field.replace(/\\(.)/gsu, "$1");
}

/**
 * The password for `key` in the file `path`; `undefined` when there is no file, or it has none. As
 * in libpq, a file that others than its owner may read or write is not used, and neither is what is
 * not a plain file; `warn` is told why.
 */
export async function readPassword(
  path: string,
  key: PasswordRequest,
  warn: (message: string) => void,
): Promise<string | undefined> {
  let about: Awaited<ReturnType<typeof stat>>;
  try {
    about = await stat(path);
  } catch {
    // As libpq, which takes a file that it cannot look at for one that is not there.
    return undefined;
  }
  if (!about.isFile()) {
    warn(`the password file ${path} is not a plain file, and is not used`);
    return undefined;
  }
  if (process.platform !== "win32" && (about.mode & 0o077) !== 0) {
    warn(
      `the password file ${path} is open to its group or to everyone, and is not used: ` +
        "its permissions must be u=rw (0600) or less",
    );
    return undefined;
  }
  return findPassword(await readText(path, warn), key);
}

async function readText(path: string, warn: (message: string) => void): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    warn(`the password file ${path} cannot be read: ${(error as Error).message}`);
    return "";
  }
}
