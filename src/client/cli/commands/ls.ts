import { Command, InvalidArgumentError, Option } from 'commander';
import type { JobView } from '../../types.js';
import { print, say } from '../output.js';
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

/** `headway ls`: the caller's jobs. */
export const lsCommand = (): Command =>
  new Command('ls')
    .description('List your jobs, the newest first (all jobs with the token of an admin)')
    .addOption(
      new Option('-s, --state <state>', 'of this state; may be given several times')
        .choices(STATES)
        .argParser(oneOf(STATES)),
    )
    .option('-n, --name <name>', 'of this kind; may be given several times', several)
    .option('-t, --tag <tag>', 'with this tag; may be given several times', several)
    .option('--from <time>', 'made not before: RFC 3339 with a zone, or ms since 1970')
    .option('--to <time>', 'made before')
    .option('--owner <principal>', 'of this owner (for an admin): user:SUB')
    .option('-l, --limit <n>', 'so many at most', whole(1, 1_000_000), 50)
    .action(async (options: ListOptions, command: Command) => {
      const { askJson, json } = openSession(command);
      const { limit, ...filter } = options;
      let left = limit;
      let cursor: string | undefined;
      const write = json ? (job: JobView) => print(safeJson(job)) : createTable();
      do {
        const query = queryOf({ ...filter, cursor, limit: Math.min(left, PAGE) });
        const page: { jobs: JobView[]; next?: string } = await askJson(`v1/jobs?${query}`);
        for (const job of page.jobs) write(job);
        left -= page.jobs.length;
        cursor = page.next;
      } while (cursor && left > 0);
      if (cursor && !json) say(`There may be more: --limit ${limit * 2}`);
      if (left === limit && !json)
        say('No jobs. (Those that were started with another token, or in a browser, are not yours here.)');
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

/** Writes jobs as lines of a table; the widths are guessed, so that nothing waits for the last job. */
function createTable(): (job: JobView) => void {
  const paint = createPaint(hasColours(process.stdout));
  const columns = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY;
  return (job) => {
    const { progress, error } = job;
    const percent = progress?.percent == null ? '' : `${Math.floor(progress.percent)}%`;
    const last = error ? error.message : (progress?.stage ?? '');
    const front = [
      pad(safeLine(job.id), 44),
      pad(job.state, 11),
      percent.padStart(4),
      pad(span(Date.now() - job.createdAt), 7),
    ];
    const room = columns - columnsOf(front.join('  ')) - 3;
    const style = STATE_STYLES[job.state];
    if (style) front[1] = paint(style, front[1]!);
    print(`${front.join('  ')}  ${cut(safeLine(last), Math.max(0, room))}`.trimEnd());
  };
}
