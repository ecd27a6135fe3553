import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type CampaignOptions, type CampaignResult, runCampaign } from './campaign.js';
import { holdingLine } from './holdings.js';
import { memoryLine } from './memory.js';

/** The share of the time that goes to faults that lose data. */
const LOSS_SHARE = 0.2;

/**
 * Runs a campaign for each seed and prints the findings.
 * @returns the number of findings
 */
export async function soak(argv: string[], say: (line: string) => void): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      seeds: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '30' },
      seed: { type: 'string', default: process.env.SEED ?? String(randomInt(1, 1_000_000)) },
      kinds: { type: 'string' },
      category: { type: 'string' },
      'start-every': { type: 'string', default: '500' },
      jobs: { type: 'string', default: '14' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const ms = Number(values.minutes) * 60_000;
  const first = Number(values.seed);
  const common: Partial<CampaignOptions> = {
    apis: 3,
    workers: 3,
    startEveryMs: Number(values['start-every']),
    jobsAtOnce: Number(values.jobs),
    checksMemory: true,
    checksRemains: true,
    ...(values.kinds ? { kinds: values.kinds.split(',') } : {}),
    ...(values.verbose ? { onFault: (kind: string) => say(`  ${kind}`) } : {}),
  };
  const summary: string[] = [];
  const total = { findings: 0, jobs: 0, viewers: 0, events: 0, faults: 0 };
  for (let seed = first; seed < first + Number(values.seeds); seed++) {
    const parts: string[] = [];
    for (const category of ['plain', 'loss'] as const) {
      if (values.category && values.category !== category) continue;
      const share = values.category ? 1 : category === 'loss' ? LOSS_SHARE : 1 - LOSS_SHARE;
      say(`Seed ${seed}, ${category}…`);
      const result = await runCampaign({ ...common, seed, category, ms: ms * share });
      total.findings += result.total;
      for (const key of ['jobs', 'viewers', 'events', 'faults'] as const) total[key] += result[key];
      parts.push(`${category}: ${lineOf(result)}`);
      for (const one of result.memory) say(`  memory of ${memoryLine(one)}`);
      for (const one of result.held.slice(0, LARGEST)) say(`  redis held ${holdingLine(one)}`);
      if (result.total > 0) print(result, values.verbose, say);
    }
    summary.push(`seed ${seed}: ${parts.join('; ')}`);
  }
  say('');
  for (const line of summary) say(line);
  say(`repeat with: npm run soak -- --seed ${first} --seeds ${values.seeds} --minutes ${values.minutes}`);
  say(
    `total: ${total.findings} findings in ${total.jobs} jobs, ${total.viewers} viewers, ${total.events} events, ${total.faults} faults`,
  );
  return total.findings;
}

const lineOf = ({ total, jobs, viewers, events, faults }: CampaignResult): string =>
  `${total === 0 ? 'no finding' : `${total} findings`} in ${jobs} jobs, ${viewers} viewers, ${events} events, ${faults} faults`;

/** How many kinds of keys are printed, the largest first. */
const LARGEST = 6;
/** The number of findings that are printed without --verbose. */
const SHOWN = 20;

function print(result: CampaignResult, all: boolean, say: (line: string) => void): void {
  const { lines, byFault, folder } = result;
  for (const line of all ? lines : lines.slice(0, SHOWN)) say(`  ${line}`);
  if (!all && lines.length > SHOWN) say(`  … and ${result.total - SHOWN} more`);
  for (const [fault, kinds] of byFault) {
    say(`  ${fault}: ${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}`);
  }
  say(`  Records, findings and the times of the faults: ${folder}`);
}
