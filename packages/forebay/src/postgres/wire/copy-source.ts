// Asynchronous sources of what is copied: read one thing at a time, and stopped also while they are
// being waited for.

/** What is read from. */
export interface OpenSource<T> {
  next(): Promise<IteratorResult<T, unknown>>;
  /**
   * Nothing more is wanted. A stream of node is destroyed at once; another source learns it as soon
   * as it has given what it is asked for. What it has to say to that interests nobody.
   */
  stop(): void;
}

/** Begins to read a source. */
export function openSource<T>(source: AsyncIterable<T>): OpenSource<T> {
  const iterator = source[Symbol.asyncIterator]();
  return {
    next: () => iterator.next(),
    stop: () => {
      if (isStream(source)) source.destroy();
      void Promise.resolve(iterator.return?.()).catch(() => {});
    },
  };
}

function isStream(source: object): source is { destroy(): void } {
  return "destroy" in source && typeof source.destroy === "function" && "pipe" in source;
}
