// forebay/driver: the contract that a driver fulfils.

export * from "./args.ts";
export * from "./capabilities.ts";
export * from "./driver.ts";
export * from "./errors.ts";
