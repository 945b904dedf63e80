import { inject, test, expect } from "vitest";
test("x", () => { expect(inject("postgresPort")).toBeGreaterThan(0); console.log(inject("postgresUrlVerify")); });
