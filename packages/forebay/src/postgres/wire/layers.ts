// Where a setting comes from that no option gives: the connection string, the service that it
// names, the environment; in this order.

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { type ConnInfo, type Keyword, parseConnInfo, parseService } from "./conninfo.ts";

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment variable of each keyword. */
export const VARIABLES: Readonly<Record<Keyword, string>> = {
  host: "PGHOST",
  hostaddr: "PGHOSTADDR",
  port: "PGPORT",
  user: "PGUSER",
  password: "PGPASSWORD",
  passfile: "PGPASSFILE",
  dbname: "PGDATABASE",
  service: "PGSERVICE",
  target_session_attrs: "PGTARGETSESSIONATTRS",
  load_balance_hosts: "PGLOADBALANCEHOSTS",
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  sslsni: "PGSSLSNI",
  sslnegotiation: "PGSSLNEGOTIATION",
  channel_binding: "PGCHANNELBINDING",
  min_protocol_version: "PGMINPROTOCOLVERSION",
  max_protocol_version: "PGMAXPROTOCOLVERSION",
  application_name: "PGAPPNAME",
  connect_timeout: "PGCONNECT_TIMEOUT",
  options: "PGOPTIONS",
};

/** The layers below the options; an empty value counts as none, as it does for libpq. */
export class Layers {
  readonly #connInfo: ConnInfo;
  readonly #service: ConnInfo | undefined;
  readonly #env: Environment;
  readonly #home: string | undefined;

  /**
   * `service` and `env` are those of the options. Reads the file of services when there is a
   * service. Throws `UsageError` of `OPTION_INVALID`.
   */
  constructor(connInfo: string, service: string | undefined, env: Environment | undefined) {
    this.#connInfo = parseConnInfo(connInfo);
    this.#env = env ?? process.env;
    // An environment that is given stands for another process's, whose home is not this one's.
    this.#home = this.#variable("HOME") ?? (env === undefined ? homedir() : undefined);
    const name = this.pick("service", service);
    this.#service = name === undefined ? undefined : this.#readService(name);
  }

  /** What the layers say. */
  get(keyword: Keyword): string | undefined {
    const own = this.#connInfo.get(keyword);
    if (own !== undefined && own !== "") return own;
    const service = this.#service?.get(keyword);
    if (service !== undefined && service !== "") return service;
    return this.#variable(VARIABLES[keyword]);
  }

  /** The option, or what the layers say where there is none. */
  pick(keyword: Keyword, option: string | undefined): string | undefined {
    const value = option === undefined || option === "" ? this.get(keyword) : option;
    if (value?.includes("\0")) throw invalid(`${keyword} must not contain NUL`);
    return value;
  }

  /** Where libpq's programs keep a file of this user, by its name there. */
  userFile(name: string, nameOnWindows: string): string | undefined {
    if (process.platform !== "win32") {
      return this.#home === undefined ? undefined : join(this.#home, name);
    }
    const base = this.#variable("APPDATA");
    return base === undefined ? undefined : join(base, "postgresql", nameOnWindows);
  }

  #variable(name: string): string | undefined {
    const value = this.#env[name];
    return value === "" ? undefined : value;
  }

  #readService(name: string): ConnInfo {
    const given = this.#variable("PGSERVICEFILE");
    const own = given ?? this.userFile(".pg_service.conf", ".pg_service.conf");
    const shared = this.#variable("PGSYSCONFDIR");
    const files = [own, shared === undefined ? undefined : join(shared, "pg_service.conf")];
    for (const file of files) {
      if (file === undefined) continue;
      const text = readIfThere(file, file === given);
      const service = text === undefined ? undefined : parseService(text, name);
      if (service !== undefined) return service;
    }
    // The name is not repeated: it may be a part of a password that was not quoted.
    const known = files.filter((file) => file !== undefined);
    throw invalid(
      `the service is not defined in ${known.join(" or ") || "any file"}: ` +
        "name the file in PGSERVICEFILE, or mend service or PGSERVICE",
    );
  }
}

function readIfThere(file: string, isGiven: boolean): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    if (isMissing && !isGiven) return undefined;
    throw new UsageError("OPTION_INVALID", `the service file ${file} cannot be read`, error);
  }
}

function invalid(reason: string): UsageError {
  return new UsageError("OPTION_INVALID", reason);
}
