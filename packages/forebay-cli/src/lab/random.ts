// Random numbers of the lab: seeded, so that two arms of a pair get the very same arrivals and the
// same work.

/** A source of random numbers. */
export interface LabRandom {
  /** A number drawn evenly from [0, 1), with 53 bits. */
  next(): number;
}

/**
 * Random numbers that repeat for the same seed on every machine.
 *
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand, public domain): 128 bits of state and no
 * known weakness at the few million draws that a simulation takes. `seed` is taken modulo 2^32.
 */
export function seededLabRandom(seed: number): LabRandom {
  let a = 0;
  let b = seed >>> 0;
  let c = 0x9e3779b9;
  let counter = 1;
  const word = (): number => {
    const sum = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = (b ^ (b >>> 9)) >>> 0;
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0;
    return sum;
  };
  for (let round = 0; round < 15; round++) word();
  return { next: () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53 };
}

/** An exponentially distributed number with the given mean. */
export function exponential(random: LabRandom, mean: number): number {
  return -mean * Math.log(1 - random.next());
}

/** A number of the standard normal distribution, by Box and Muller (1958). */
export function normal(random: LabRandom): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return radius * Math.cos(2 * Math.PI * random.next());
}

/** A lognormal number: `median` times e to the power of `sigma` times a standard normal one. */
export function lognormal(random: LabRandom, median: number, sigma: number): number {
  return median * Math.exp(sigma * normal(random));
}

/** Offsets of a Poisson process, in milliseconds from 0 to `durationMs`, in order. */
export function poissonArrivals(random: LabRandom, ratePerS: number, durationMs: number): number[] {
  const arrivals: number[] = [];
  for (let at = 0; ; ) {
    at += exponential(random, 1000 / ratePerS);
    if (at >= durationMs) return arrivals;
    arrivals.push(at);
  }
}
