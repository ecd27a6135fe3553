#!/usr/bin/env node
import { CommanderError } from 'commander';
import type { ConfigError } from '../../shared/process/config.js';
import { EXIT, exit, quietPipes, say } from './output.js';
import { explain, UsageError } from './problem.js';
import { createProgram } from './program.js';

/** The command line `headway`. @returns the exit code */
async function main(): Promise<number> {
  try {
    await createProgram().parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // Commander has said what is wrong, or printed the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
    // By its name: its module is loaded by the commands that read the configuration only.
    if (error instanceof Error && error.name === 'ConfigError') {
      for (const line of (error as ConfigError).problems) say(`error: ${line}`);
      return EXIT.usage;
    }
    const words = explain(error);
    if (words === undefined) say(`error: ${error instanceof Error ? error.stack : String(error)}`);
    else say(`error: ${words}`);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

// An empty variable counts as unset, as everywhere.
for (const name of ['HEADWAY_URL', 'HEADWAY_TOKEN']) if (!process.env[name]) delete process.env[name];
quietPipes();
exit(await main());
