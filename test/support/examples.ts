// The examples of a page or of doc comments: its blocks of TypeScript, and what each is said to
// print.

/** A block of TypeScript. */
export interface Example {
  readonly file: string;
  /** Of the fence above it, from 1. */
  readonly line: number;
  readonly code: string;
  /** The `text` block that follows it; empty where there is none. */
  readonly output: string;
  /** Whether it stands in a doc comment. */
  readonly isComment: boolean;
}

const BLOCK = /^([ *]*)```(\w+)\n([\s\S]*?)^[ *]*```/gm;

/** The examples in the text of a file, in order. */
export function examplesIn(file: string, text: string): Example[] {
  const blocks = Array.from(text.matchAll(BLOCK), ({ index, 1: margin = "", 2: kind, 3: body }) => {
    const isComment = margin !== "";
    const lines = (body ?? "").split("\n");
    const code = isComment ? lines.map((line) => line.replace(/^ *\* ?/, "")) : lines;
    return {
      kind,
      isComment,
      code: code.join("\n"),
      line: text.slice(0, index).split("\n").length,
    };
  });
  return blocks.flatMap(({ kind, code, line, isComment }, index) => {
    const next = blocks[index + 1];
    const output = next?.kind === "text" ? next.code : "";
    return kind === "ts" ? [{ file, line, code, output, isComment }] : [];
  });
}

/** The first block of SQL of a page: what its examples find in the database. Empty for none. */
export function surroundingsIn(text: string): string {
  return /^```sql\n([\s\S]*?)^```/m.exec(text)?.[1] ?? "";
}

/** What must be the same in two outputs: not how lines are broken, nor how long anything took. */
export function essence(output: string): string {
  return output
    .replaceAll(/\d+ms\b/g, "0ms")
    .replaceAll(/\s+/g, " ")
    .trim();
}
