import { createInterface } from 'node:readline';
import { Command, Option } from 'commander';
import type { Publication } from '../../client.js';
import { print } from '../output.js';
import { UsageError } from '../problem.js';
import { openSession } from '../session.js';
import { safeJson } from '../terminal/text.js';
import { duration, readInput } from '../values.js';

interface PublishOptions {
  event?: string;
  state?: string | true;
  id?: string;
  retry?: number;
  lines?: boolean;
}

/** `headway publish CHANNEL DATA` */
export const publishCommand = (): Command =>
  new Command('publish')
    .description('Publish an event to a channel; prints its id')
    .argument('<channel>', 'the channel')
    .argument('<data>', 'what it says, as it is (JSON too), or - for standard input')
    .option('-e, --event <name>', 'the name of the event')
    .option('--state [key]', 'only the newest of this key matters (else of its event)')
    .addOption(new Option('--id <id>', 'an id of your own, put behind ours').conflicts('lines'))
    .option('--retry <time>', 'tells viewers to wait so long before they reconnect', duration)
    .option('--lines', 'each line of standard input is an event')
    .action(async (channel: string, data: string, options: PublishOptions, command: Command) => {
      const { client, json } = openSession(command);
      const { event, state, id, retry, lines } = options;
      if (lines && data !== '-')
        throw new UsageError('--lines is for standard input: publish CHANNEL - --lines');
      const about: Omit<Publication, 'data'> = {
        ...(event ? { event } : {}),
        ...(state ? { kind: 'state' } : {}),
        ...(typeof state === 'string' ? { key: state } : {}),
        ...(id ? { id } : {}),
        ...(retry !== undefined ? { retry } : {}),
      };
      const publish = async (text: string): Promise<void> => {
        const given = await client.publish(channel, { ...about, data: dataIn(text) });
        print(json ? safeJson({ id: given }) : given);
      };
      if (data !== '-') await publish(data);
      else if (lines) {
        let first = true;
        for await (const line of createInterface({ input: process.stdin })) {
          await publish(first ? line.replace(/^\ufeff/, '') : line);
          first = false;
        }
      } else await publish((await readInput()).replace(/\r?\n$/, ''));
    });

/**
 * Typed JSON as the value that it is, unless that would change what was typed: `1.10` and numbers that are too long stay text.
 * So does a text in quotes.
 */
function dataIn(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  if (typeof value === 'object' && value !== null) return hasLongNumber(text) ? text : value;
  return typeof value !== 'string' && JSON.stringify(value) === text ? value : text;
}

/** Whether a whole number in a JSON text has more digits than a JavaScript number keeps. */
function hasLongNumber(json: string): boolean {
  const numbers = json.replace(/"(?:[^"\\]|\\.)*"/g, '""').match(/-?\d{16,}(?![\d.eE])/g) ?? [];
  return numbers.some((number) => BigInt(number) !== BigInt(Number(number)));
}
