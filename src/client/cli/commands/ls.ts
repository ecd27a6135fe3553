import { Command, InvalidArgumentError, Option } from 'commander';
import type { JobView } from '../../types.js';
import { print, printMessage } from '../output.js';
import { openSession } from '../session.js';
import { createPaint, hasColours, type Paint } from '../terminal/colour.js';
import { columnsOf, cut, pad, safeJson, safeLine } from '../terminal/text.js';
import { span } from '../terminal/units.js';
import { several, whole } from '../values.js';

const PAGE = 200;
const STATES = [
  'waiting',
  'delayed',
  'prioritized',
  'waiting-children',
  'active',
  'completed',
  'failed',
  'cancelled',
];
const STATE_STYLES: Record<string, Parameters<Paint>[0]> = {
  active: 'cyan',
  completed: 'green',
  failed: 'red',
  cancelled: 'yellow',
};

interface ListOptions {
  state?: string[];
  name?: string[];
  tag?: string[];
  from?: string;
  to?: string;
  owner?: string;
  limit: number;
}

/** `headway ls`: lists the caller's jobs. */
export const lsCommand = (): Command =>
  new Command('ls')
    .description('List your jobs, newest first (with an admin token, all jobs)')
    .addOption(
      new Option('-s, --state <state>', 'only jobs in this state; repeatable')
        .choices(STATES)
        .argParser(oneOf(STATES)),
    )
    .option('-n, --name <name>', 'only jobs of this kind; repeatable', several)
    .option('-t, --tag <tag>', 'only jobs with this tag; repeatable', several)
    .option(
      '--from <time>',
      'only jobs created at or after this time: RFC 3339 with a time zone, or ms since 1970',
    )
    .option('--to <time>', 'only jobs created before this time')
    .option('--owner <principal>', 'only jobs of this owner (requires an admin token): user:SUB')
    .option('-l, --limit <n>', 'maximum number of jobs', whole(1, 1_000_000), 50)
    .action(async (options: ListOptions, command: Command) => {
      const { requestJson, json } = openSession(command);
      const { limit, ...filter } = options;
      let left = limit;
      let cursor: string | undefined;
      const write = json ? (job: JobView) => print(safeJson(job)) : createTable();
      do {
        const query = queryOf({ ...filter, cursor, limit: Math.min(left, PAGE) });
        const page: { jobs: JobView[]; next?: string } = await requestJson(`v1/jobs?${query}`);
        for (const job of page.jobs) write(job);
        left -= page.jobs.length;
        cursor = page.next;
      } while (cursor && left > 0);
      if (cursor && !json) printMessage(`There may be more: --limit ${limit * 2}`);
      if (left === limit && !json)
        printMessage('No jobs. (Jobs started with another token, or in a browser, are not listed.)');
    });

const oneOf =
  (choices: string[]) =>
  (text: string, before?: string[]): string[] => {
    if (!choices.includes(text)) throw new InvalidArgumentError(`Allowed choices are ${choices.join(', ')}.`);
    return several(text, before);
  };

function queryOf(values: Record<string, unknown>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of [value ?? []].flat()) query.append(name, String(one));
  }
  return query;
}

/** Prints jobs as rows of a table. The column widths are fixed, so that each row can be printed at once. */
function createTable(): (job: JobView) => void {
  const paint = createPaint(hasColours(process.stdout));
  const columns = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
  return (job) => {
    const { progress, error } = job;
    const percent = progress?.percent == null ? '' : `${Math.floor(progress.percent)}%`;
    const last = error ? error.message : (progress?.stage ?? '');
    const state = pad(job.state, 11);
    const style = STATE_STYLES[job.state];
    const front = [
      pad(safeLine(job.id), 44),
      style ? paint(style, state) : state,
      percent.padStart(4),
      pad(span(Date.now() - job.createdAt), 7),
    ].join('  ');
    const room = columns - columnsOf(front) - 3;
    print(`${front}  ${cut(safeLine(last), Math.max(0, room))}`.trimEnd());
  };
}
