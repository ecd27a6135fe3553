import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';

/** A Lua script as ioredis defines it. */
export interface LuaScript {
  lua: string;
  /** How many of the arguments are keys. Without it, the first argument of a call is their number. */
  numberOfKeys?: number;
}

/** ioredis creates two commands for each script: `name` and `nameBuffer`, which replies with Buffers. */
type ScriptName<Command> = Command extends `${infer Name}Buffer` ? Name : Command;

declare const commands: unique symbol;

/** The scripts of one folder by name. `Commands` types the calls. */
export type ScriptTable<Commands> = Record<ScriptName<keyof Commands & string>, LuaScript> & {
  readonly [commands]?: Commands;
};

/** Creates the script table of a folder. A connection is opened with the tables of all folders that use it. */
export const defineScripts = <Commands>(
  scripts: Record<ScriptName<keyof Commands & string>, LuaScript>,
): ScriptTable<Commands> => scripts;

/** Returns a function that reads a script by name from the `scripts` folder beside the calling module. */
export const luaBeside =
  (moduleUrl: string) =>
  (name: string): string =>
    readFileSync(new URL(`./scripts/${name}.lua`, moduleUrl), 'utf8');

/**
 * Returns a connection typed with the commands of a script table.
 * @throws TypeError if the connection was opened without the table. Defining a script later would be too late: a
 *   pipeline that ioredis has open at that moment does not know the new command.
 */
export function scriptsOf<Commands>(redis: Redis | Cluster, table: ScriptTable<Commands>): Commands {
  for (const name of Object.keys(table)) {
    if (!(name in redis))
      throw new TypeError(`this connection to Redis was opened without the script "${name}"`);
  }
  return redis as unknown as Commands;
}
