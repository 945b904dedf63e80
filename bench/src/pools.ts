// The pools that are compared, each over the same trivial resource and behind the same two
// functions. Each is set up as its own documentation says; nothing optional is switched on.

import { EventEmitter } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import genericPool from "generic-pool";
import { type Connector, Pool, type PooledConn } from "forebay/pool";
import type { PoolClient } from "pg";
import PgPool from "pg-pool";
import { Pool as TarnPool } from "tarn";

/** A pool to be measured. `T` is what it hands out. */
export interface Contender<T = unknown> {
  acquire(): Promise<T>;
  release(taken: T): void;
  /** Gives back something that is known to be dead. */
  discard(taken: T): void;
  /** Ends the resource from outside, without the pool's doing. */
  kill(taken: T): void;
}

/** How the resources of a contender behave. */
export interface ResourceOptions {
  readonly connections: number;
  /** How long making one takes; 0 for at once. */
  readonly dialMs: number;
}

/** The contenders by name. */
export type ContenderName = "forebay" | "pg-pool" | "generic-pool" | "tarn";

/** Ours first. */
export const CONTENDERS: readonly ContenderName[] = ["forebay", "pg-pool", "generic-pool", "tarn"];

/** Makes a contender. */
export function makeContender(name: ContenderName, options: ResourceOptions): Contender {
  switch (name) {
    case "forebay":
      return hide(forebay(options));
    case "pg-pool":
      return hide(nodePostgres(options));
    case "generic-pool":
      return hide(generic(options));
    case "tarn":
      return hide(tarn(options));
    default:
      return name satisfies never;
  }
}

/** Forgets what a contender hands out: only its own functions ever look at that. */
function hide<T>(contender: Contender<T>): Contender {
  return contender;
}

class Resource implements PooledConn {
  isDead = false;
  onLost: ((reason: unknown) => void) | undefined;

  close(): void {
    this.isDead = true;
  }
}

async function dial(dialMs: number): Promise<Resource> {
  if (dialMs > 0) await delay(dialMs);
  return new Resource();
}

function forebay({ connections, dialMs }: ResourceOptions) {
  const connector: Connector<Resource> = {
    name: "fake",
    connect: async ({ onLost }) => {
      const resource = await dial(dialMs);
      resource.onLost = onLost;
      return resource;
    },
  };
  const pool = new Pool(connector, { maxOpenConns: connections });
  type Taken = Awaited<ReturnType<typeof pool.acquire>>;
  return {
    acquire: () => pool.acquire(),
    release: (lease: Taken) => lease.release(),
    discard: (lease: Taken) => lease.discard(),
    kill: (lease: Taken) => lease.conn.onLost?.(new Error("killed")),
  };
}

function nodePostgres({ connections, dialMs }: ResourceOptions) {
  class Client extends EventEmitter {
    isDead = false;
    /** What a released client must have; pg-pool throws one without it away. */
    readonly _queryable = true;

    connect(done: (error: Error | null) => void): void {
      if (dialMs > 0) setTimeout(done, dialMs, null);
      else done(null);
    }

    end(done?: () => void): void {
      this.isDead = true;
      done?.();
    }
  }
  // It takes any class with these methods; its types ask for the real one.
  const pool = new PgPool({ max: connections, Client } as unknown as ConstructorParameters<
    typeof PgPool
  >[0]);
  return {
    acquire: (): Promise<PoolClient> => pool.connect(),
    release: (client: PoolClient) => client.release(),
    discard: (client: PoolClient) => client.release(true),
    kill: () => undefined,
  };
}

function generic({ connections, dialMs }: ResourceOptions) {
  const factory = { create: () => dial(dialMs), destroy: async (one: Resource) => one.close() };
  const pool = genericPool.createPool(factory, { max: connections });
  return {
    acquire: () => pool.acquire(),
    release: (resource: Resource) => void pool.release(resource),
    discard: (resource: Resource) => void pool.destroy(resource),
    kill: (resource: Resource) => resource.close(),
  };
}

function tarn({ connections, dialMs }: ResourceOptions) {
  const pool = new TarnPool<Resource>({
    create: () => dial(dialMs),
    destroy: (resource) => resource.close(),
    validate: (resource) => !resource.isDead,
    min: 0,
    max: connections,
  });
  return {
    acquire: () => pool.acquire().promise,
    release: (resource: Resource) => void pool.release(resource),
    discard: (resource: Resource) => void pool.release(resource),
    kill: (resource: Resource) => resource.close(),
  };
}
