// What the users of a connection have changed in its session, and the statements that put it back.
//
// It is known from the texts of the statements, whose first words say most; the rest is known by
// the names of the server's own functions, and by the parameters that the server reports. What a
// function of the user's own does is not looked into. Where in doubt a session counts as changed:
// that costs a round trip, and nothing else.

import type { TxStatus } from "./proto/backend.ts";
import { pieceEnd } from "./sql-text.ts";

/** What becomes of a session that its user has changed. See `PostgresOptions.sessionReset`. */
export type SessionReset = "off" | "auto" | "discard";

/** A statement of the session's setting-up, to be run again after a reset. */
export interface SetupStatement {
  readonly sql: string;
  readonly args: readonly unknown[];
}

/** In a text that locks: whoever sends it sees to the end of the lock himself, whatever happens. */
export const UNLOCKED_BY_CALLER = "/* unlocked by its caller */";

const SETTINGS = 1;
const ROLE = 2;
const LISTENS = 4;
const CURSORS = 8;
const STATEMENTS = 16;
const TEMP = 32;
const LOCKS = 64;
/** Something was put back that the setting-up may have set. */
const UNDONE = 128;
/** What no statement puts back: a loaded library; or what the client knows of, and is gone. */
const BEYOND = 256;
/** Not a change: the text ends the transaction. */
const COMMITS = 512;
const ROLLS_BACK = 1024;
/** Not a change: there are several statements. */
const SEVERAL = 2048;

const CHANGES = 511;
/** Whatever a body of code may do that cannot be looked into. */
const ANYTHING: number = SETTINGS | ROLE | LISTENS | CURSORS | STATEMENTS | TEMP | LOCKS;
/** What stays although the transaction is rolled back. */
const LASTING: number = STATEMENTS | LOCKS | BEYOND;

const DROP_STATEMENTS =
  "DO $$DECLARE s text; BEGIN FOR s IN SELECT name FROM pg_catalog.pg_prepared_statements " +
  "WHERE from_sql LOOP EXECUTE pg_catalog.format('DEALLOCATE %I', s); END LOOP; END$$";

/** What puts a kind of change back, in the order in which it must be done. */
const REMEDIES: readonly (readonly [number, string])[] = [
  [CURSORS, "CLOSE ALL"],
  [ROLE, "RESET SESSION AUTHORIZATION; RESET ROLE"],
  [SETTINGS | UNDONE, "RESET ALL"],
  [LISTENS, "UNLISTEN *"],
  [LOCKS, "SELECT pg_catalog.pg_advisory_unlock_all()"],
  [TEMP, "DISCARD TEMP"],
  [STATEMENTS, DROP_STATEMENTS],
];

/** What a statement behind another begins with, if it changes anything. */
const MAY_MATTER = new RegExp(
  ";\\s*(?:[(/-]|set|reset|listen|unlisten|prepare|deallocate|declare|create|do|load|discard" +
    "|commit|end|rollback|abort)",
  "i",
);
const SET_OF_TRANSACTION = /^set\s+(?:local|transaction|constraints)\b/i;
const OF_ROLE = /role|authorization/i;
const ALL_AFTER = /^\w+\s+(?:prepare\s+)?all\b/i;
const OF_TRANSACTION = /^prepare\s+transaction\b/i;
const WITH_HOLD = /\bwith\s+hold\b/i;
const CREATES_TEMP = /^create\s+(?:or\s+replace\s+)?(?:(?:local|global)\s+)?temp(?:orary)?\b/i;
const WHOLE_ROLLBACK = /^\w+(?:\s+(?:work|transaction))?(?:\s+and\s+(?:no\s+)?chain)?[\s;]*$/i;
/** Changes that stand in the middle of a statement. */
const INSIDE = /set_config\s*\(|advisory_lock|pg_temp|into\s+(?:(?:local|global)\s+)?temp/gi;
const SET_CONFIG_LOCAL = /set_config\s*\([^()]*,\s*(?:true|'t(?:rue)?')\s*\)/iy;
const WORD = /[a-z]+/iy;

/** How far into a statement is looked. */
const STATEMENT_CHARS = 8192;
/** A longer text of several statements is not looked into, and may have done anything. */
const TEXT_CHARS = 65_536;
const CACHED_CHARS = 1024;
const CACHED_TEXTS = 512;
const SETUP_MAX = 64;

/** What the texts do that were looked at last. */
const known = new Map<string, number>();

/** What a text changes in its session, as bits of which 0 means nothing. */
function effectsOf(sql: string): number {
  const cached = known.get(sql);
  if (cached !== undefined) return cached;
  const effects = scan(sql);
  if (sql.length <= CACHED_CHARS) {
    if (known.size >= CACHED_TEXTS) known.clear();
    known.set(sql, effects);
  }
  return effects;
}

/** Whether a text may leave something behind in its session. */
export function changesSession(sql: string): boolean {
  return (effectsOf(sql) & CHANGES) !== 0;
}

function scan(sql: string): number {
  const semicolonAt = sql.indexOf(";");
  if (semicolonAt < 0 || sql.slice(semicolonAt + 1).trim() === "") return statement(sql, 0);
  if (sql.length > TEXT_CHARS) return ANYTHING | SEVERAL;
  let effects = SEVERAL | statement(sql, 0);
  // Most semicolons are those of values, which are quickly told from statements that matter.
  if (!MAY_MATTER.test(sql)) return effects | inside(sql);
  for (let at = 0; at < sql.length; ) {
    if (sql[at] === ";") effects |= statement(sql, at + 1);
    at = Math.max(pieceEnd(sql, at), at + 1);
  }
  return effects;
}

function statement(sql: string, from: number): number {
  const at = wordAt(sql, from);
  WORD.lastIndex = at;
  const word = WORD.exec(sql)?.[0];
  if (word === undefined) return inside(sql.slice(at, at + STATEMENT_CHARS));
  const text = sql.slice(at, at + STATEMENT_CHARS);
  return byWord(word.toUpperCase(), text) | inside(text);
}

/** Where the first word stands, behind blanks and comments. */
function wordAt(sql: string, from: number): number {
  let at = from;
  for (;;) {
    const char = sql[at];
    if (char === undefined) return at;
    const end = char === "-" || char === "/" ? pieceEnd(sql, at) : at;
    if (end > at) at = end;
    else if (/[\s(]/.test(char)) at += 1;
    else return at;
  }
}

function byWord(word: string, text: string): number {
  switch (word) {
    case "SET":
      if (SET_OF_TRANSACTION.test(text)) return 0;
      return OF_ROLE.test(text) ? SETTINGS | ROLE : SETTINGS;
    case "LISTEN":
      return LISTENS;
    case "PREPARE":
      return OF_TRANSACTION.test(text) ? COMMITS : STATEMENTS;
    case "DECLARE":
      return WITH_HOLD.test(text) ? CURSORS : 0;
    case "CREATE":
      return CREATES_TEMP.test(text) ? TEMP : 0;
    case "DO":
      return ANYTHING;
    case "LOAD":
      return BEYOND;
    // They drop what the client has prepared.
    case "DEALLOCATE":
    case "DISCARD":
      return ALL_AFTER.test(text) ? BEYOND : UNDONE;
    case "RESET":
    case "UNLISTEN":
      return UNDONE;
    case "COMMIT":
    case "END":
      return COMMITS;
    case "ROLLBACK":
    case "ABORT":
      return WHOLE_ROLLBACK.test(text) ? ROLLS_BACK : 0;
    default:
      return 0;
  }
}

function inside(text: string): number {
  let effects = 0;
  INSIDE.lastIndex = 0;
  for (let found = INSIDE.exec(text); found !== null; found = INSIDE.exec(text)) {
    const what = found[0].toLowerCase();
    if (what === "advisory_lock") {
      if (!text.includes(UNLOCKED_BY_CALLER)) effects |= LOCKS;
    } else if (!what.startsWith("set_config")) effects |= TEMP;
    else {
      SET_CONFIG_LOCAL.lastIndex = found.index;
      if (!SET_CONFIG_LOCAL.test(text)) effects |= SETTINGS | ROLE;
    }
  }
  return effects;
}

/** What of the session is looked at; see `Session`. */
export interface WatchedSession {
  readonly txStatus: TxStatus;
  readonly parameters: ReadonlyMap<string, string>;
  readonly parameterChanges: number;
}

/** What one session's users have changed in it. */
export class SessionDirt {
  readonly #mode: SessionReset;
  readonly #session: WatchedSession;
  /** Changed, for good. */
  #kept = 0;
  /** Changed, unless the transaction is rolled back. */
  #inTx = 0;
  /** Changed anew by every use of a prepared statement. */
  #prepared = 0;
  /** The text noted last, if it changes nothing. */
  #harmless: string | undefined;
  #setup: SetupStatement[] = [];
  #isSetUp = false;
  /** The parameters that the server reports, as they were when the session was set up. */
  #first: ReadonlyMap<string, string>;
  /** The same, as the last reset left them. */
  #last: ReadonlyMap<string, string>;
  #changesSeen = 0;

  constructor(mode: SessionReset, session: WatchedSession) {
    this.#mode = mode;
    this.#session = session;
    this.#first = new Map(session.parameters);
    this.#last = this.#first;
  }

  /** A statement is about to be sent. */
  note(sql: string, args: readonly unknown[]): void {
    this.#settle();
    if (sql === this.#harmless || this.#mode === "off") return;
    const effects = effectsOf(sql);
    if (effects === 0) this.#harmless = sql;
    else this.#add(effects, sql, args);
  }

  /** A statement is about to be prepared: nobody says when it runs. */
  notePrepared(sql: string): void {
    if (this.#mode !== "off") this.#prepared |= effectsOf(sql) & CHANGES;
  }

  /** The session has been set up: what was noted up to now is to be so for every user. */
  remember(): void {
    this.#isSetUp = true;
    this.#first = new Map(this.#session.parameters);
    this.cleaned();
  }

  /** Whether there is anything to put back; open transactions do not count. */
  get isDirty(): boolean {
    this.#settle();
    return (this.#kept | this.#prepared) !== 0 || this.#hasDrifted();
  }

  /** Whether the session is not to be used again, as it is or by rule. */
  get isBeyond(): boolean {
    if (!this.isDirty) return false;
    return this.#mode === "discard" || ((this.#kept | this.#prepared) & BEYOND) !== 0;
  }

  /** Puts everything back, to be run outside a transaction; `undefined` if nothing is to be. */
  remedy(): string | undefined {
    if (!this.#isSetUp) {
      // Nobody says what belongs to the setting-up: then nothing does.
      this.#isSetUp = true;
      this.#setup = [];
    }
    const changes = this.#kept | this.#prepared | (this.#hasDrifted() ? SETTINGS | ROLE : 0);
    const texts = REMEDIES.filter(([kinds]) => (kinds & changes) !== 0).map(([, text]) => text);
    return texts.length === 0 ? undefined : texts.join("; ");
  }

  /** What set the session up, in order; to be run behind the remedy. */
  get setup(): readonly SetupStatement[] {
    return this.#setup;
  }

  /**
   * What the session's first message had set, and the remedy has not brought back, as happens
   * behind a pooler, whose own session began with another message.
   */
  lostParameters(): readonly (readonly [name: string, value: string])[] {
    const { parameters } = this.#session;
    return OF_FIRST_MESSAGE.flatMap((name) => {
      const value = this.#first.get(name);
      return value === undefined || value === parameters.get(name) ? [] : [[name, value] as const];
    });
  }

  /** All is as it should be. */
  cleaned(): void {
    this.#kept = 0;
    this.#inTx = 0;
    this.#last = new Map(this.#session.parameters);
    this.#changesSeen = this.#session.parameterChanges;
  }

  #add(effects: number, sql: string, args: readonly unknown[]): void {
    let changes = effects & CHANGES;
    if (changes !== 0 && !this.#isSetUp) this.#setup.push({ sql, args });
    // Whoever goes on and on works without a pool: nobody will ask for this.
    if (this.#setup.length > SETUP_MAX) this.#setup = [];
    if (this.#setup.length === 0) changes &= ~UNDONE;
    if ((effects & (SEVERAL | COMMITS)) !== 0 || this.#session.txStatus === "I") {
      this.#kept |= changes | this.#inTx;
      this.#inTx = 0;
    } else {
      this.#kept |= changes & LASTING;
      this.#inTx |= changes & ~LASTING;
      if ((effects & ROLLS_BACK) !== 0) this.#inTx = 0;
    }
  }

  /** A transaction that has ended, nobody saw how, counts as committed. */
  #settle(): void {
    if (this.#inTx === 0 || this.#session.txStatus !== "I") return;
    this.#kept |= this.#inTx;
    this.#inTx = 0;
  }

  #hasDrifted(): boolean {
    const { parameterChanges, parameters } = this.#session;
    if (parameterChanges === this.#changesSeen || this.#mode === "off") return false;
    for (const [name, value] of parameters) {
      if (this.#last.get(name) !== value) return true;
    }
    this.#changesSeen = parameterChanges;
    return false;
  }
}

const OF_FIRST_MESSAGE: readonly string[] = ["client_encoding", "DateStyle", "application_name"];
