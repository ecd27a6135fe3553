import { ProblemError } from '../errors.js';
import { type End, follow } from './follow.js';
import { onInterrupt } from './interrupt.js';
import { EXIT, exitOf, type StopSignal } from './output.js';
import { giveResult } from './result.js';
import type { Session } from './session.js';
import { safeLine } from './terminal/text.js';
import { chooseView } from './views/choose.js';
import type { View } from './views/view.js';

export interface AttendOptions {
  id: string;
  view?: View;
  /** Where the result is saved; without, it is printed. */
  output?: string | undefined;
  /** Ctrl-C asks whether the job is to be cancelled. */
  mayCancel?: boolean;
}

/** Shows a job to its end and gives its result. @returns the exit code */
export async function attend(session: Session, options: AttendOptions): Promise<number> {
  const { id, view = chooseView(session.json), mayCancel = false } = options;
  const away = new AbortController();
  const token = await session.tokenOf(id);
  const job = session.client.watchJob({ id, ...(token ? { token } : {}) }, { signal: away.signal });
  let cancelled = false;
  const keyboard = process.stdin.isTTY && process.stderr.isTTY && !session.json ? process.stdin : undefined;

  const stop = onInterrupt({
    keyboard: mayCancel ? keyboard : undefined,
    question: (text) => view.question(text),
    detach: (signal) => away.abort(signal),
    cancel() {
      cancelled = true;
      view.note('Cancelling. Ctrl-C again leaves it alone.');
      job.cancel({ signal: away.signal }).catch((error: unknown) => {
        // It has ended meanwhile: its end is on its way.
        if (error instanceof ProblemError && error.code !== 'already-finished') {
          view.note(`It could not be cancelled: ${safeLine(error.message)}`);
        }
      });
    },
  });
  try {
    const end = await follow(job, view, away.signal);
    if (end.state === 'detached') view.detached(id, end.signal, again(session, id));
    view.close();
    if (end.state === 'completed') await giveResult(session, id, end.result, options.output);
    return exitCode(end, cancelled);
  } finally {
    view.close();
    stop();
  }
}

const exitCode = (end: End, cancelled: boolean): number => {
  if (end.state === 'completed') return 0;
  if (end.state === 'detached') return exitOf(end.signal as StopSignal);
  return end.state === 'cancelled' && cancelled ? exitOf('SIGINT') : EXIT.failed;
};

/** The command that watches a job of this service. */
function again({ url }: Session, id: string): string {
  return `headway watch ${id}${url === (process.env.HEADWAY_URL ?? DEFAULT_URL) ? '' : ` --url ${url}`}`;
}

/** Where `npm start` serves. */
export const DEFAULT_URL = 'http://127.0.0.1:3000';
