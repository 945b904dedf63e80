// forebay/driver: the contract that a driver fulfils.

export * from "./driver.ts";
export * from "./errors.ts";
