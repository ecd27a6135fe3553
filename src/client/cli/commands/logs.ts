import { Command } from 'commander';
import { isTerminal } from '../../topic.js';
import type { JobEvent } from '../../types.js';
import { checkJob } from '../jobs.js';
import { EXIT, print, say } from '../output.js';
import { openSession } from '../session.js';
import { createPaint, hasColours } from '../terminal/colour.js';
import { safeJson } from '../terminal/text.js';
import { logLines, wordsOf } from '../views/words.js';

/** The log so far has come when nothing more has for so long, in ms. */
const SILENCE_MS = 700;

/** `headway logs ID`: what a job has said. */
export const logsCommand = (): Command =>
  new Command('logs')
    .description("Print a job's log lines; with -f go on to its end, and exit with 1 unless it completed")
    .argument('<id>', 'the job')
    .option('-f, --follow', 'go on with new lines until the job ends')
    .action(async (id: string, { follow = false }: { follow?: boolean }, command: Command) => {
      const session = openSession(command);
      await checkJob(session, id);
      const paint = createPaint(hasColours(process.stdout));
      const token = await session.tokenOf(id);
      const enough = new AbortController();
      const job = session.client.watchJob({ id, ...(token ? { token } : {}) }, { signal: enough.signal });
      const isOver = createPast(() => enough.abort());
      await new Promise<void>((resolve, reject) => {
        job.watch({
          onStatus: (status) => {
            if (!follow && status === 'live') isOver();
          },
          onEvent(event) {
            if (!follow && isOver(event)) return;
            if (follow && isTerminal(event.event) && event.event !== 'completed') {
              for (const line of wordsOf(event, createPaint(hasColours(process.stderr)))) say(line);
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
 * Tells when all that was there has come: the stream first says what has been, and then goes on live, but not where one
 * ends and the other begins. Of progress only the newest is kept, so the second is a live one; else it is over when
 * nothing has come for a moment.
 */
function createPast(over: () => void): (event?: JobEvent) => boolean {
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
