import { Command } from 'commander';
import { print, printMessage } from '../output.js';
import { UsageError } from '../problem.js';
import { openSession } from '../session.js';
import { createPaint, hasColours } from '../terminal/colour.js';
import { safeJson, safeLine } from '../terminal/text.js';
import { whole } from '../values.js';

interface TailOptions {
  last?: number;
  count?: number;
}

/** `headway tail CHANNEL...`: prints the events of channels as they arrive. */
export const tailCommand = (): Command =>
  new Command('tail')
    .description('Print the events of channels as they arrive')
    .argument('<channel...>', 'names of channels')
    .option('-n, --last <n>', 'first print this many recent events of each channel', whole(0, 10_000))
    .option('-c, --count <n>', 'exit after this many events', whole(1))
    .action(
      async (
        channels: string[],
        { last, count = Number.POSITIVE_INFINITY }: TailOptions,
        command: Command,
      ) => {
        if (new Set(channels).size < channels.length) throw new UsageError('a channel is given twice');
        const { client, request, json } = openSession(command);
        // Fails at once if the service is unreachable. The stream would reconnect forever.
        await request('healthz');
        const paint = createPaint(hasColours(process.stdout));
        const ending = new AbortController();
        await new Promise<void>((resolve, reject) => {
          let open = channels.length;
          let left = count;
          let broken = false;
          client.watchChannels(channels, {
            ...(last === undefined ? {} : { last }),
            signal: ending.signal,
            onStatus(status) {
              if ((status === 'stale') === broken || status === 'ended') return;
              broken = status === 'stale';
              printMessage(broken ? 'Disconnected. Reconnecting' : 'Reconnected');
            },
            onEvent({ channel, event, id, data }) {
              if (left-- <= 0) return;
              if (left === 0) ending.abort();
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
