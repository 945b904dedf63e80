import { openDB } from "forebay";
import { MemoryConnector } from "./memory-driver.ts";

/** Makes two rows in one transaction, and gives their number. */
export async function twoRows(): Promise<number> {
  const db = openDB(new MemoryConnector(), { maxOpenConns: 4 });
  await db.exec("CREATE t");
  await db.transaction(async (tx) => {
    await tx.exec("INSERT t ?", ["one"]);
    await tx.exec("INSERT t ?", ["two"]);
  });
  const { size } = await db.queryRow<{ size: number }>("SIZE t");
  await db.close();
  return size;
}
