// The errors that the command itself reports: one line each, with a code and what to do next.

/** Every code that a `CliError` may carry. */
export type CliErrorCode =
  | "USAGE"
  | "SCENARIO_UNKNOWN"
  | "NUMBER_INVALID"
  | "LOAD_IMPOSSIBLE"
  | "LOAD_UNSTABLE"
  | "CLIENT_MISSING"
  | "QUERY_FAILED"
  | "ALL_SKIPPED"
  | "QUERY_REFUSED"
  | "REPORT_NOT_WRITABLE"
  | "URL_INVALID"
  | "SERVER_UNREACHABLE"
  | "SERVER_REFUSED"
  | "SERVER_NO_TLS"
  | "SERVER_TLS_FAILED"
  | "SERVER_BINARIES_MISSING"
  | "SERVER_START_FAILED"
  | "UNEXPECTED";

/**
 * Bad input, or surroundings in which the command cannot do its work. Ends the command with status
 * 2.
 */
export class CliError extends Error {
  readonly code: CliErrorCode;
  /** What the user can do about it, as one or more whole sentences. */
  readonly nextStep: string;

  /**
   * `message` says what is wrong, without a full stop; neither it nor `nextStep` may hold a
   * password.
   */
  constructor(
    code: CliErrorCode,
    message: string,
    nextStep: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.name = "CliError";
    this.code = code;
    this.nextStep = nextStep;
  }
}

/** The error as the one line that the user reads. */
export function errorLine(error: CliError): string {
  const what = error.message.replaceAll(/\s*\n\s*/g, " ");
  return `forebay: ${what} [${error.code}]. ${error.nextStep}`;
}
