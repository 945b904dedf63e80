// Damage to what a server says: to its bytes, its lengths, its messages and their order.

import { type Random, randomBelow } from "../../packages/forebay/src/base/random.ts";

/** One of several. */
export function pick<T>(random: Random, list: readonly T[]): T {
  const one = list[randomBelow(random, list.length)];
  if (one === undefined) throw new Error("there is nothing to choose from");
  return one;
}

/** Numbers at which something changes. */
const EDGES: readonly number[] = [
  0, 1, -1, 2, 3, 4, 5, 7, 8, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 0x3fff_ffff,
  0x4000_0000, 0x7fff_ffff, -0x8000_0000, -2, 0x0100_0000,
];

/** Bytes without meaning, few of them more often than many. */
export function noise(random: Random, bytesMax: number): Buffer {
  const length = Math.floor(random.next() ** 2 * (bytesMax + 1));
  return Buffer.from(Array.from({ length }, () => randomBelow(random, 256)));
}

/** Changes bytes where they are; the number of them stays. */
function overwrite(random: Random, bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  const at = randomBelow(random, bytes.length);
  const left = bytes.length - at;
  const kind = randomBelow(random, 4);
  if (kind === 0) changed[at] = (changed[at] ?? 0) ^ (1 << randomBelow(random, 8));
  else if (kind === 1) changed[at] = randomBelow(random, 256);
  else if (kind === 2 && left >= 4) changed.writeInt32BE(pick(random, EDGES), at);
  else if (left >= 2) changed.writeInt16BE((pick(random, EDGES) << 16) >> 16, at);
  return changed;
}

/** Changes bytes in one way; the number of them may change. */
export function damage(random: Random, bytes: Buffer): Buffer {
  if (bytes.length === 0) return noise(random, 8);
  const at = randomBelow(random, bytes.length);
  switch (randomBelow(random, 8)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), noise(random, 8), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + randomBelow(random, 8))]);
    default:
      return overwrite(random, bytes);
  }
}

/** The body of a message damaged, and its length as it should be then: the stream stays in step. */
function damageBody(random: Random, message: Buffer): Buffer {
  const body = damage(random, message.subarray(5));
  const changed = Buffer.concat([message.subarray(0, 5), body]);
  changed.writeInt32BE(body.length + 4, 1);
  return changed;
}

function damageLength(random: Random, message: Buffer): Buffer {
  const changed = Buffer.from(message);
  const nudge = randomBelow(random, 9) - 4;
  const length = random.next() < 0.5 ? pick(random, EDGES) : changed.readInt32BE(1) + nudge;
  changed.writeInt32BE(length | 0, 1);
  return changed;
}

function damageType(random: Random, message: Buffer): Buffer {
  const changed = Buffer.from(message);
  const letters = "RK23CdcGHDIEvnNAtS1sZTW";
  changed[0] =
    random.next() < 0.8 ? pick(random, [...Buffer.from(letters)]) : randomBelow(random, 256);
  return changed;
}

/** Flights of messages, damaged in one way or a few. `others` are messages that may come in. */
export function damageFlights(
  random: Random,
  flights: readonly (readonly Buffer[])[],
  others: readonly Buffer[],
): Buffer[][] {
  const changed = flights.map((flight) => [...flight]);
  const count = 1 + Math.floor(random.next() ** 3 * 4);
  for (let i = 0; i < count; i++) damageOnce(random, pick(random, changed), changed, others);
  return changed;
}

function damageOnce(
  random: Random,
  flight: Buffer[],
  flights: Buffer[][],
  others: readonly Buffer[],
): void {
  const at = randomBelow(random, flight.length + 1);
  const message = flight[at];
  if (message === undefined || message.length < 5) {
    flight.splice(at, 0, pick(random, others));
    return;
  }
  switch (randomBelow(random, 12)) {
    case 0:
      flight[at] = damage(random, message);
      return;
    case 1:
      flight[at] = damageLength(random, message);
      return;
    case 2:
      flight[at] = damageType(random, message);
      return;
    case 3:
      flight.splice(at, 0, message);
      return;
    case 4:
      flight.splice(at, 1);
      return;
    case 5:
      flight.splice(at, 0, pick(random, others));
      return;
    case 6:
      flight.splice(at, 0, noise(random, 40));
      return;
    case 7: {
      const to = randomBelow(random, flight.length);
      flight[at] = flight[to] ?? message;
      flight[to] = message;
      return;
    }
    case 8:
      flights.splice(flights.indexOf(flight) + 1);
      flight.splice(at);
      return;
    default:
      flight[at] = damageBody(random, message);
  }
}

/** The same bytes in other pieces; most often in one. */
export function cut(random: Random, bytes: Buffer): Buffer[] {
  const count = random.next() < 0.6 ? 0 : 1 + randomBelow(random, 4);
  const places = Array.from({ length: count }, () => randomBelow(random, bytes.length + 1));
  const from = [0, ...places.sort((a, b) => a - b)];
  const pieces = from.map((start, i) => bytes.subarray(start, from[i + 1] ?? bytes.length));
  return pieces.filter((piece) => piece.length > 0);
}
