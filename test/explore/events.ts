// What can happen in a world: each kind of event, in which cases it can, and its words. An event is
// a number, so that a life is a short list of numbers.

import type { Caller, Conn, OperatorEvent, World } from "./world.ts";

/** One kind of event. */
interface EventKind {
  /** The numbers of those to whom it can happen now. */
  readonly subjects: (world: World) => readonly number[];
  readonly run: (world: World, subject: number) => void;
  readonly words: (subject: number) => string;
}

const NOBODY: readonly number[] = [];
const POOL: readonly number[] = [0];

/** No life has more connections or callers. */
const SUBJECTS_MAX = 64;

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`there is no ${index}`);
  return item;
}

function indexesOf<T>(list: readonly T[], holds: (item: T, index: number) => boolean): number[] {
  const indexes: number[] = [];
  for (let i = 0; i < list.length; i++) if (holds(at(list, i), i)) indexes.push(i);
  return indexes;
}

const ofCaller = (
  holds: (caller: Caller, world: World, index: number) => boolean,
  run: (world: World, caller: Caller) => void,
  words: string,
): EventKind => ({
  subjects: (world) => indexesOf(world.callers, (caller, index) => holds(caller, world, index)),
  run: (world, subject) => run(world, at(world.callers, subject)),
  words: (subject) => `caller ${subject + 1} ${words}`,
});

const ofConn = (
  holds: (conn: Conn, world: World) => boolean,
  run: (world: World, conn: Conn) => void,
  words: string,
): EventKind => ({
  subjects: (world) => indexesOf(world.conns, (conn) => holds(conn, world)),
  run: (world, subject) => run(world, at(world.conns, subject)),
  words: (subject) => `connection ${subject + 1} ${words}`,
});

const ofPool = (
  holds: (world: World) => boolean,
  run: (world: World) => void,
  words: string,
): EventKind => ({
  subjects: (world) => (holds(world) ? POOL : NOBODY),
  run: (world) => run(world),
  words: () => words,
});

const ofOperator = (event: OperatorEvent, words: string): EventKind =>
  ofPool(
    ({ core, setting, operatorEventsLeft }) =>
      operatorEventsLeft > 0 && setting.operator.includes(event) && core.phase === "open",
    (world) => world.operate(event),
    words,
  );

/** Of callers that are alike only the first acquires. */
function isFirstOfItsKind(caller: Caller, { callers }: World, index: number): boolean {
  return !callers.some(
    ({ state, lane, timeoutMs }, other) =>
      other < index && state === "away" && lane === caller.lane && timeoutMs === caller.timeoutMs,
  );
}

function mayFail(world: World): boolean {
  return world.faultsLeft > 0;
}

function fault(run: (world: World, conn: Conn) => void): (world: World, conn: Conn) => void {
  return (world, conn) => {
    world.faultsLeft -= 1;
    run(world, conn);
  };
}

const isHolding = ({ state }: Caller): boolean => state === "holding";
const isDialing = ({ state }: Conn): boolean => state === "dialing";

const KINDS: readonly EventKind[] = [
  ofCaller(
    (caller, world, index) =>
      caller.state === "away" &&
      world.core.phase === "open" &&
      isFirstOfItsKind(caller, world, index),
    (world, caller) => world.acquire(caller),
    "acquires",
  ),
  ofConn(isDialing, (world, conn) => world.dialed(conn), "is opened"),
  ofCaller(isHolding, (world, caller) => world.release(caller, "fit"), "releases"),
  ofConn(
    ({ answers }) => answers !== undefined,
    (world, conn) => world.answered(conn, true),
    "answers",
  ),
  ofConn(
    ({ state }) => state === "closing",
    (world, conn) => world.gone(conn),
    "is gone",
  ),
  ofPool(
    ({ core, nowMs }) => core.wakeAtMs > nowMs && core.wakeAtMs < Infinity,
    (world) => world.pass(),
    "time passes",
  ),
  ofPool(
    ({ core }) => core.phase === "open",
    (world) => world.tick(),
    "the pool is woken",
  ),
  ofCaller(
    ({ state }) => state === "waiting",
    (world, caller) => world.abort(caller),
    "gives up",
  ),
  ofCaller(
    isHolding,
    (world, caller) => world.release(caller, "of no use"),
    "gives up its connection",
  ),
  ofCaller(isHolding, (world, caller) => world.release(caller, "check"), "releases it unfit"),
  ofConn(
    ({ answers }) => answers !== undefined,
    (world, conn) => world.answered(conn, false),
    "does not answer",
  ),
  ofConn(
    (conn, world) => mayFail(world) && isDialing(conn),
    fault((world, conn) => world.dialFailed(conn, true)),
    "is refused",
  ),
  ofConn(
    (conn, world) => mayFail(world) && isDialing(conn),
    fault((world, conn) => world.dialFailed(conn, false)),
    "is refused for good",
  ),
  ofConn(
    ({ state, isLost }, world) => mayFail(world) && state !== "gone" && !isLost,
    fault((world, conn) => world.lost(conn)),
    "is lost",
  ),
  ofOperator("lower", "maxOpenConns is lowered"),
  ofOperator("suspend", "the pool is suspended"),
  ofOperator("reset", "the pool is reset"),
  ofOperator("close idle", "what is idle is closed"),
  ofOperator("warm up", "a warm-up begins"),
  ofOperator("suspect", "what is idle comes under suspicion"),
  ofOperator("stall", "much time passes"),
  ofOperator("share", "the first bulkhead may have everything"),
  ofPool(
    (world) => world.core.phase === "open" && world.isChanged,
    (world) => world.undo(),
    "what the operator did is undone",
  ),
  ofPool(
    ({ core }) => core.phase === "open",
    (world) => world.drain(),
    "the pool is closed",
  ),
  ofPool(
    ({ core, isForced }) => core.phase !== "open" && !isForced,
    (world) => world.closeByForce(),
    "the pool is closed by force",
  ),
];

/** All that can happen now. */
export function eventsOf(world: World): number[] {
  const events: number[] = [];
  for (let kind = 0; kind < KINDS.length; kind++) {
    for (const subject of at(KINDS, kind).subjects(world)) {
      if (subject >= SUBJECTS_MAX) throw new Error("too many connections for one life");
      events.push(kind * SUBJECTS_MAX + subject);
    }
  }
  return events;
}

/** Lets an event happen. Throws when the pool does what it must not. */
export function run(world: World, event: number): void {
  at(KINDS, Math.floor(event / SUBJECTS_MAX)).run(world, event % SUBJECTS_MAX);
}

/** An event in words. */
export function wordsOf(event: number): string {
  return at(KINDS, Math.floor(event / SUBJECTS_MAX)).words(event % SUBJECTS_MAX);
}
