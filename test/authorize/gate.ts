import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Authorize } from 'headway-jobs';

const inGate = (name: string): string => join(process.env.GATE!, name);

/** Creates the file `asked` in the folder `GATE`, and resolves when the test has created the file `open`. */
export async function passGate(): Promise<void> {
  writeFileSync(inGate('asked'), '');
  while (!existsSync(inGate('open'))) await sleep(10);
}

/** Allows the channel `gate` once the test opens it, and decides about no other channel. */
const authorize: Authorize = async (_principal, _action, channel) => {
  if (channel !== 'gate') return undefined;
  await passGate();
  return true;
};
export default authorize;
