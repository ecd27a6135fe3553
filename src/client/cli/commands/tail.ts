import { Command } from 'commander';
import { print, say } from '../output.js';
import { UsageError } from '../problem.js';
import { openSession } from '../session.js';
import { createPaint, hasColours } from '../terminal/colour.js';
import { safeJson, safeLine } from '../terminal/text.js';
import { whole } from '../values.js';

interface TailOptions {
  last?: number;
  count?: number;
}

/** `headway tail CHANNEL...`: the events of channels as they come. */
export const tailCommand = (): Command =>
  new Command('tail')
    .description('Print the events of channels as they come')
    .argument('<channel...>', 'the channels')
    .option('-n, --last <n>', 'first so many of the newest events of each', whole(0, 10_000))
    .option('-c, --count <n>', 'end after so many events', whole(1))
    .action(
      async (
        channels: string[],
        { last, count = Number.POSITIVE_INFINITY }: TailOptions,
        command: Command,
      ) => {
        if (new Set(channels).size < channels.length) throw new UsageError('a channel is given twice');
        const { client, ask, json } = openSession(command);
        // Where nobody answers, this says so at once; the stream would try again for ever.
        await ask('healthz');
        const paint = createPaint(hasColours(process.stdout));
        const enough = new AbortController();
        await new Promise<void>((resolve, reject) => {
          let open = channels.length;
          let left = count;
          let broken = false;
          client.watchChannels(channels, {
            ...(last === undefined ? {} : { last }),
            signal: enough.signal,
            onStatus(status) {
              if ((status === 'stale') === broken || status === 'ended') return;
              broken = status === 'stale';
              say(broken ? 'The connection was lost; trying again' : 'Connected again');
            },
            onEvent({ channel, event, id, data }) {
              if (left-- <= 0) return;
              if (left === 0) enough.abort();
              if (json) return print(safeJson({ channel, event, ...(id ? { id } : {}), data }));
              const text = safeLine(typeof data === 'string' ? data : JSON.stringify(data));
              const front = [
                ...(channels.length > 1 ? [paint('cyan', channel)] : []),
                paint('dim', safeLine(event)),
              ];
              print([...front, text].join('\t'));
            },
            onEnd: (error) => {
              if (error) reject(error);
              else if (--open === 0) resolve();
            },
          });
        });
      },
    );
