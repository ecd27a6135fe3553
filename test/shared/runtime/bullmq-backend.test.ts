import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { NOW_AT } from '../../../src/shared/runtime/bullmq-backend.js';

const commands = join(dirname(new URL(import.meta.resolve('bullmq')).pathname), 'commands');
/** Scripts whose time argument is not the current time, or that Headway does not use. */
const OTHERS = ['cleanJobsInSet', 'moveJobsToWait', 'relayPublish', 'releaseParentIfNoPendingDependencies'];

it('knows which argument of each BullMQ script is the current time', () => {
  const found = readdirSync(commands).flatMap((file): Array<[string, number]> => {
    const [, name, keys] = /^(\w+)-(\d+)\.lua$/.exec(file) ?? [];
    if (!name) return [];
    const arg = /ARGV\[(\d+)\]\s+timestamp/.exec(readFileSync(join(commands, file), 'utf8'))?.[1];
    return arg && !OTHERS.includes(name) ? [[name, Number(keys) + Number(arg) - 1]] : [];
  });
  expect(Object.fromEntries(found)).toEqual(NOW_AT);
});
