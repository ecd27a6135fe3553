import { ProblemError } from '../errors.js';
import { type End, follow } from './follow.js';
import { onInterrupt } from './interrupt.js';
import { EXIT, exitOf, type StopSignal } from './output.js';
import { outputResult } from './result.js';
import type { Session } from './session.js';
import { safeLine } from './terminal/text.js';
import { chooseView } from './views/choose.js';
import type { View } from './views/view.js';

export interface WatchToEndOptions {
  id: string;
  view?: View;
  /** Where to save the result. Without it, the result is printed. */
  output?: string | undefined;
  /** Whether Ctrl-C asks whether to cancel the job. */
  mayCancel?: boolean;
}

/** Shows a job until it ends, then prints or saves its result. @returns the exit code */
export async function watchToEnd(session: Session, options: WatchToEndOptions): Promise<number> {
  const { id, view = chooseView(session.json), mayCancel = false } = options;
  const detaching = new AbortController();
  const token = await session.tokenOf(id);
  const job = session.client.watchJob({ id, ...(token ? { token } : {}) }, { signal: detaching.signal });
  let cancelled = false;
  const keyboard = process.stdin.isTTY && process.stderr.isTTY && !session.json ? process.stdin : undefined;

  const stop = onInterrupt({
    keyboard: mayCancel ? keyboard : undefined,
    question: (text) => view.question(text),
    detach: (signal) => detaching.abort(signal),
    cancel() {
      cancelled = true;
      view.note('Cancelling. Press Ctrl-C again to detach.');
      job.cancel({ signal: detaching.signal }).catch((error: unknown) => {
        // If the job has ended meanwhile, its terminal event is on its way.
        if (error instanceof ProblemError && error.code !== 'already-finished') {
          view.note(`Could not cancel: ${safeLine(error.message)}`);
        }
      });
    },
  });
  try {
    const end = await follow(job, view, detaching.signal);
    if (end.state === 'detached') view.detached(id, end.signal, watchCommandLine(session, id));
    view.close();
    if (end.state === 'completed') await outputResult(session, id, end.result, options.output);
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

/** The command that watches this job again. */
function watchCommandLine({ url }: Session, id: string): string {
  return `headway watch ${id}${url === (process.env.HEADWAY_URL ?? DEFAULT_URL) ? '' : ` --url ${url}`}`;
}

/** The address of a service started with `npm start`. */
export const DEFAULT_URL = 'http://127.0.0.1:3000';
