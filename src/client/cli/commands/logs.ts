import { Command } from 'commander';
import { isTerminal } from '../../topic.js';
import type { JobEvent } from '../../types.js';
import { checkJob } from '../jobs.js';
import { EXIT, print, printMessage } from '../output.js';
import { openSession } from '../session.js';
import { createPaint, hasColours } from '../terminal/colour.js';
import { safeJson } from '../terminal/text.js';
import { eventLines, logLines } from '../views/labels.js';

/** The stored log counts as complete when no event has arrived for this long, in ms. */
const SILENCE_MS = 700;

/** `headway logs ID`: prints a job's log. */
export const logsCommand = (): Command =>
  new Command('logs')
    .description(
      "Print a job's log; with -f, follow the log until the job ends, and exit with 1 unless the job completed",
    )
    .argument('<id>', 'job id')
    .option('-f, --follow', 'print new lines until the job ends')
    .action(async (id: string, { follow = false }: { follow?: boolean }, command: Command) => {
      const session = openSession(command);
      await checkJob(session, id);
      const paint = createPaint(hasColours(process.stdout));
      const token = await session.tokenOf(id);
      const ending = new AbortController();
      const job = session.client.watchJob({ id, ...(token ? { token } : {}) }, { signal: ending.signal });
      const isOver = createHistoryEnd(() => ending.abort());
      await new Promise<void>((resolve, reject) => {
        job.watch({
          onStatus: (status) => {
            if (!follow && status === 'live') isOver();
          },
          onEvent(event) {
            if (!follow && isOver(event)) return;
            if (follow && isTerminal(event.event) && event.event !== 'completed') {
              for (const line of eventLines(event, createPaint(hasColours(process.stderr))))
                printMessage(line);
              process.exitCode = EXIT.failed;
            }
            if (event.event !== 'log') return;
            if (session.json) print(safeJson(event.data));
            else for (const line of logLines(event.data, paint)) print(line);
          },
          onEnd: (error) => (error ? reject(error) : resolve()),
        });
      });
    });

/**
 * Detects the end of the stored events. The stream sends them first and then continues live, without marking where one
 * ends and the other begins. Only the newest progress is stored, so a second progress event is live. Otherwise the
 * stored events count as complete after a moment of silence.
 * @param over called after that silence
 * @returns a function that checks whether an event comes after the stored ones
 */
function createHistoryEnd(over: () => void): (event?: JobEvent) => boolean {
  let progresses = 0;
  let timer: NodeJS.Timeout | undefined;
  return (event) => {
    if (event?.event === 'progress') progresses++;
    if (progresses > 1) {
      clearTimeout(timer);
      over();
      return true;
    }
    clearTimeout(timer);
    timer = setTimeout(over, SILENCE_MS);
    timer.unref();
    return false;
  };
}
