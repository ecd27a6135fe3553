// node guard.mjs <options> <program> <arguments>: runs a program, and ends it when the supervisor is killed. Options
// (JSON): with "socket", the socket of a Redis, the guard first waits until its clients have disconnected, for at most
// "graceMs".
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { forwardSignals } from './command.mjs';
import { ask } from './redis-socket.mjs';

const LOOK_MS = 100;
const KILL_MS = 5000;

const [options, program, ...args] = process.argv.slice(2);
const { socket, graceMs = 0 } = JSON.parse(options);

// A Node.js program can send the supervisor a message when it is ready.
const ipc = program === process.execPath ? ['ipc'] : [];
const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', ...ipc] });
const stopForwarding = forwardSignals(child);
child.on('message', (message) => process.connected && process.send(message));
child.once('error', (error) => {
  console.error(`cannot be started: ${error.message}`);
  process.exit(1);
});
child.once('exit', (code, signal) => {
  stopForwarding();
  if (signal) process.kill(process.pid, signal);
  else process.exit(code);
});

async function supervisorGone() {
  const deadline = Date.now() + graceMs;
  while (socket && (await isUsed(socket)) && Date.now() < deadline) await sleep(LOOK_MS);
  child.kill('SIGTERM');
  await sleep(KILL_MS);
  child.kill('SIGKILL');
}
if (process.connected) process.once('disconnect', supervisorGone);
else await supervisorGone();

/** Whether a Redis has other clients. */
async function isUsed(path) {
  const clients = /connected_clients:(\d+)/.exec((await ask(path, 'INFO clients')) ?? '');
  return Number(clients?.[1] ?? 0) > 1;
}
