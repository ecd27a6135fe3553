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
    .description('Publish an event to a channel and print its id')
    .argument('<channel>', 'name of the channel')
    .argument('<data>', 'data of the event, text or JSON, or - for standard input')
    .option('-e, --event <name>', 'name of the event')
    .option(
      '--state [key]',
      'publish a state under a key (default: the name of the event); only the newest state of each key is kept',
    )
    .addOption(new Option('--id <id>', "your own id, appended to Headway's").conflicts('lines'))
    .option('--retry <time>', 'time after which viewers reconnect', duration)
    .option('--lines', 'publish each line of standard input as an event')
    .action(async (channel: string, data: string, options: PublishOptions, command: Command) => {
      const { client, json } = openSession(command);
      const { event, state, id, retry, lines } = options;
      if (lines && data !== '-')
        throw new UsageError('--lines requires standard input: publish CHANNEL - --lines');
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
 * Parses the data as JSON, unless that would change what was typed: `1.10`, a number with too many digits and a quoted
 * text remain text.
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

/** Whether a JSON text contains an integer with more digits than a JavaScript number can hold. */
function hasLongNumber(json: string): boolean {
  const numbers = json.replace(/"(?:[^"\\]|\\.)*"/g, '""').match(/-?\d{16,}(?![\d.eE])/g) ?? [];
  return numbers.some((number) => BigInt(number) !== BigInt(Number(number)));
}
