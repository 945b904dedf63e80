// What one connection keeps of the texts that it has run: which of them, and which goes when there
// are too many. By the clock algorithm (Corbató): as good as going by the time of the last use, and
// a use costs no more than a flag.

import type { KeptText } from "./kept-text.ts";

interface Entry {
  readonly text: KeptText;
  wasUsed: boolean;
}

/** The texts of one connection, at most so many. */
export class StatementCache {
  readonly #max: number;
  /** From the one that is looked at first when one must go. */
  readonly #entries = new Map<string, Entry>();

  constructor(max: number) {
    this.#max = max;
  }

  /** What is kept of a text; `undefined` where there is nothing that is of use. */
  find(sql: string): KeptText | undefined {
    const entry = this.#entries.get(sql);
    if (entry === undefined || !entry.text.isValid()) return undefined;
    entry.wasUsed = true;
    return entry.text;
  }

  /** Keeps a text; gives what had to go for it: what was kept of the same text, or of another. */
  add(sql: string, text: KeptText): KeptText | undefined {
    const before = this.#entries.get(sql)?.text;
    this.#entries.delete(sql);
    this.#entries.set(sql, { text, wasUsed: true });
    return this.#entries.size > this.#max ? this.#evict() : before;
  }

  /** Keeps it no longer. No effect where something else is kept of the text. */
  drop(sql: string, text: KeptText): void {
    if (this.#entries.get(sql)?.text === text) this.#entries.delete(sql);
  }

  /** Keeps nothing any more; gives what it kept. */
  clear(): KeptText[] {
    const all = Array.from(this.#entries.values(), ({ text }) => text);
    this.#entries.clear();
    return all;
  }

  /** The first that has not been used since it was looked at last; the others get one more turn. */
  #evict(): KeptText | undefined {
    for (const [sql, entry] of this.#entries) {
      this.#entries.delete(sql);
      if (!entry.wasUsed) return entry.text;
      entry.wasUsed = false;
      this.#entries.set(sql, entry);
    }
    return undefined;
  }
}
