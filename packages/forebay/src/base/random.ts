// Randomness. The only file that draws on the process's random numbers: everything else is handed a
// Random.

/** A source of random numbers. `systemRandom` is the real one; `seededRandom` repeats itself. */
export interface Random {
  /** A number drawn evenly from [0, 1). */
  next(): number;
}

/** The process's own random numbers; not for secrets. */
export const systemRandom: Random = { next: () => Math.random() };

/**
 * Random numbers that are the same for the same seed, on every machine.
 *
 * The generator is mulberry32 (Tommy Ettinger, 2017, public domain): 32 bits of state, period 2^32.
 * Good enough for tests, jitter and simulated load; never for secrets. `seed` is taken modulo 2^32.
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next: () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = state;
      mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

/** A whole number drawn evenly from [0, below). `below` must be a positive integer. */
export function randomBelow(random: Random, below: number): number {
  return Math.floor(random.next() * below);
}
