// Runs commands of `headway`, one after the other, each as its main file does: it loads the program anew, and has its own
// arguments, environment, folder and output, and an empty input. They share this process, because starting one takes nine
// tenths of the CPU time of a command.
import { readFileSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

const [main] = process.argv.slice(2);
const [, loader, bundle] = /new URL\('([^']+)'[\s\S]*runProgram\('headway', '([^']+)'\)/.exec(
  readFileSync(main, 'utf8'),
);
const { href } = new URL(loader, pathToFileURL(main));
let loads = 0;
// Each program that is loaded listens on `exit`.
process.setMaxListeners(0);

/** Runs a command until it exits. */
async function run({ args, env, cwd }) {
  const [stdout, stderr] = ['stdout', 'stderr'].map(keepOutput);
  replace('stdin', Readable.from([]));
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  process.argv.splice(1, Infinity, main, ...args);
  process.exitCode = undefined;
  process.chdir(cwd);
  const exited = new Promise((resolve) => {
    process.exit = resolve;
  });
  const { runProgram } = await import(`${href}?${++loads}`);
  runProgram('headway', bundle);
  return { code: await exited, stdout: stdout(), stderr: stderr() };
}

const replace = (name, value) => Object.defineProperty(process, name, { value, configurable: true });

/** Makes the process write to memory. Returns a function that reads what was written. */
function keepOutput(name) {
  const chunks = [];
  const write = (chunk, _encoding, done) => {
    chunks.push(chunk);
    done();
  };
  replace(name, new Writable({ write }));
  return () => Buffer.concat(chunks).toString();
}

const end = process.exit.bind(process);
process.on('disconnect', () => end());
process.on('message', async (command) => process.send(await run(command)));
