#!/usr/bin/env node
import { CommanderError } from 'commander';
import type { ConfigError } from '../../shared/process/config.js';
import { EXIT, exit, printMessage, quietPipes } from './output.js';
import { explain, UsageError } from './problem.js';
import { createProgram } from './program.js';

/** Runs the command line `headway`. @returns the exit code */
async function main(): Promise<number> {
  try {
    await createProgram().parseAsync();
    return Number(process.exitCode ?? 0);
  } catch (error) {
    // Commander has already printed the error, or the help.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
    // Compared by name, because only the commands that read the configuration load the class.
    if (error instanceof Error && error.name === 'ConfigError') {
      for (const line of (error as ConfigError).problems) printMessage(`error: ${line}`);
      return EXIT.usage;
    }
    const explanation = explain(error);
    if (explanation === undefined)
      printMessage(`error: ${error instanceof Error ? error.stack : String(error)}`);
    else printMessage(`error: ${explanation}`);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}

// An empty variable counts as unset, as in the configuration.
for (const name of ['HEADWAY_URL', 'HEADWAY_TOKEN']) if (!process.env[name]) delete process.env[name];
quietPipes();
void main().then(exit);
