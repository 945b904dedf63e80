// Connection strings as libpq reads them: URLs, and lists of keywords and values. From text to
// keywords only; what they mean is for config.ts. Messages never repeat a piece of the string: any
// piece may be part of a password.

import { UsageError } from "../../base/errors.ts";

/** The keywords that are understood, by libpq's names. */
export const KEYWORDS = [
  "host",
  "hostaddr",
  "port",
  "user",
  "password",
  "passfile",
  "dbname",
  "service",
  "target_session_attrs",
  "load_balance_hosts",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "sslsni",
  "sslnegotiation",
  "channel_binding",
  "min_protocol_version",
  "max_protocol_version",
  "application_name",
  "connect_timeout",
  "options",
] as const;

/** One of them. */
export type Keyword = (typeof KEYWORDS)[number];

/** What a connection string says. */
export type ConnInfo = ReadonlyMap<Keyword, string>;

/**
 * Keywords of libpq that are not understood here, with the values that ask for nothing beyond what
 * is done anyway.
 */
export const UNSUPPORTED: Readonly<Record<string, readonly string[]>> = {
  client_encoding: ["utf8", "utf-8", "unicode", "auto"],
  fallback_application_name: [],
  gssdelegation: ["0"],
  gssencmode: ["disable", "prefer"],
  gsslib: [],
  keepalives: ["1"],
  keepalives_count: [],
  keepalives_idle: [],
  keepalives_interval: [],
  krbsrvname: [],
  oauth_client_id: [],
  oauth_client_secret: [],
  oauth_issuer: [],
  oauth_scope: [],
  replication: ["false", "off", "no", "0"],
  require_auth: [],
  requirepeer: [],
  scram_client_key: [],
  scram_server_key: [],
  servicefile: [],
  ssl_max_protocol_version: ["tlsv1.3"],
  ssl_min_protocol_version: ["tlsv1.2"],
  sslcertmode: ["allow"],
  sslcompression: ["0"],
  sslcrl: [],
  sslcrldir: [],
  sslkeylogfile: [],
  sslpassword: [],
  tcp_user_timeout: ["0"],
};

/**
 * Reads a URL if the text begins as one, else a list of keywords and values. Throws `UsageError` of
 * `OPTION_INVALID`.
 */
export function parseConnInfo(text: string): ConnInfo {
  const scheme = /^postgres(?:ql)?:\/\//u.exec(text);
  if (scheme !== null) return parseUrl(text, scheme[0].length);
  if (/^[a-z][a-z0-9+.-]*:\/\//iu.test(text)) {
    throw invalid("the connection URL must begin with postgres:// or postgresql://");
  }
  return parsePairs(text);
}

function invalid(reason: string): UsageError {
  return new UsageError("OPTION_INVALID", reason);
}

class Collected {
  readonly values = new Map<Keyword, string>();
  /** What holds the keywords, for messages. */
  readonly #source: string;

  constructor(source = "the connection string") {
    this.#source = source;
  }

  /** `where` says in which place of the string the keyword stands. */
  set(keyword: string, value: string, where: string): void {
    if (value.includes("\0")) throw invalid(`the value ${where} contains NUL`);
    const known = KEYWORDS.find((name) => name === keyword);
    if (known !== undefined) {
      this.values.set(known, value);
      return;
    }
    const harmless = Object.hasOwn(UNSUPPORTED, keyword) ? UNSUPPORTED[keyword] : undefined;
    if (harmless === undefined) {
      throw invalid(
        `${this.#source} has an unknown keyword ${where}. ` +
          `Known are ${KEYWORDS.join(", ")}. ` +
          "If it is part of a password, quote or percent-encode the password",
      );
    }
    if (harmless.includes(value.toLowerCase())) return;
    const allowed = harmless.length === 0 ? "" : ` other than ${harmless.join(" or ")}`;
    throw invalid(`${this.#source}'s ${keyword}${allowed} is not supported: remove it`);
  }
}

function parseUrl(text: string, from: number): ConnInfo {
  const collected = new Collected();
  const rest = text.slice(from);
  const authorityEnd = rest.search(/[/?]/u);
  const authority = authorityEnd < 0 ? rest : rest.slice(0, authorityEnd);
  const query = rest.indexOf("?", authority.length);
  const path = rest.slice(authority.length, query < 0 ? undefined : query);

  const at = authority.indexOf("@");
  if (at !== authority.lastIndexOf("@")) {
    throw invalid('the connection URL has more than one "@": write %40 for one in a password');
  }
  if (at >= 0) setCredentials(collected, authority.slice(0, at));
  setHosts(collected, authority.slice(at + 1).split(","));
  const database = decode(path.slice(1), "database");
  if (database !== "") collected.set("dbname", database, "in the path");
  if (query >= 0) setParameters(collected, rest.slice(query + 1));
  return collected.values;
}

function setCredentials(collected: Collected, credentials: string): void {
  const colon = credentials.indexOf(":");
  const user = decode(colon < 0 ? credentials : credentials.slice(0, colon), "user");
  if (user !== "") collected.set("user", user, "in the user");
  if (colon < 0) return;
  const password = decode(credentials.slice(colon + 1), "password");
  if (password !== "") collected.set("password", password, "in the password");
}

/**
 * As libpq does: hosts and ports become two lists, in which a silent place stands for the default.
 */
function setHosts(collected: Collected, specs: readonly string[]): void {
  const matches = specs.map((spec) => /^(\[[^\]]*\]|[^:[\]]*)(?::([0-9]*))?$/u.exec(spec));
  const hosts = matches.map((match) => {
    if (match === null) {
      throw invalid("the connection URL's host must be a name, an address, or [an IPv6 address]");
    }
    const [, host = ""] = match;
    return host.startsWith("[") ? host.slice(1, -1) : decode(host, "host");
  });
  const host = hosts.join(",");
  const port = matches.map((match) => match?.[2] ?? "").join(",");
  if (host !== "") collected.set("host", host, "in the host");
  if (port !== "") collected.set("port", port, "in the port");
}

function setParameters(collected: Collected, query: string): void {
  let number = 0;
  for (const pair of query.split("&")) {
    number++;
    if (pair === "") continue;
    const where = `as parameter ${number} of the URL`;
    const equals = pair.indexOf("=");
    if (equals < 0) throw invalid(`the connection URL lacks "=" ${where}`);
    const keyword = decode(pair.slice(0, equals), `keyword ${where}`);
    const value = decode(pair.slice(equals + 1), `value ${where}`);
    if (keyword === "ssl" && value === "true") collected.set("sslmode", "require", where);
    else collected.set(keyword, value, where);
  }
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw invalid(`the connection URL's ${what} is badly percent-encoded: write %25 for "%"`);
  }
}

/**
 * `keyword = value` pairs; a value in single quotes may hold blanks; a backslash takes the next
 * character as it is.
 */
function parsePairs(text: string): ConnInfo {
  const collected = new Collected();
  let at = skipBlanks(text, 0);
  while (at < text.length) {
    const where = `at character ${at + 1}`;
    const match = /[^\s=]*\s*=\s*/uy;
    match.lastIndex = at;
    const [head] = match.exec(text) ?? [];
    if (head === undefined) {
      throw invalid(
        `the connection string lacks "=" after the keyword ${where}: quote values that have blanks`,
      );
    }
    const value = readValue(text, at + head.length);
    collected.set(head.slice(0, head.search(/[\s=]/u)), value.text, where);
    at = skipBlanks(text, value.end);
  }
  return collected.values;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/u.test(text.charAt(at))) at++;
  return at;
}

function readValue(text: string, from: number): { readonly text: string; readonly end: number } {
  const quoted = text.charAt(from) === "'";
  let value = "";
  let at = quoted ? from + 1 : from;
  for (; at < text.length; at++) {
    const character = text.charAt(at);
    if (quoted ? character === "'" : /\s/u.test(character)) {
      return { text: value, end: at + (quoted ? 1 : 0) };
    }
    if (character === "\\") at++;
    value += text.charAt(at);
  }
  if (quoted)
    throw invalid(`the connection string lacks the closing quote of the value at ${from + 1}`);
  return { text: value, end: at };
}

/**
 * What the service of this name says in the text of a file of services, as libpq reads one:
 * sections of `keyword=value` lines. `undefined` when the file does not have it.
 */
export function parseService(text: string, service: string): ConnInfo | undefined {
  let found: Collected | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const content = line.trim();
    if (content === "" || content.startsWith("#")) continue;
    if (content.startsWith("[")) {
      if (found !== undefined) break;
      if (content === `[${service}]`) found = new Collected("the service file");
      continue;
    }
    if (found === undefined) continue;
    const where = `in line ${index + 1}`;
    const equals = content.indexOf("=");
    if (equals < 0) throw invalid(`the service file lacks "=" ${where}`);
    const keyword = content.slice(0, equals);
    if (keyword === "service") throw invalid(`the service file names a service ${where}`);
    // The first of two lines counts.
    if (found.values.has(keyword as Keyword)) continue;
    found.set(keyword, content.slice(equals + 1), where);
  }
  return found?.values;
}
