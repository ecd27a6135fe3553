import type { RunningJob } from './running.js';

const MAX_TEXT = 200;

/** A job in a frame: short, since there may be thousands. Names and owners are places in the frame's lists. */
type PackedJob = [
  id: string,
  name: number,
  owner: number,
  attempt: number,
  startedAt: number,
  percent: number | null,
  etaMs: number | null,
  ratePerSecond: number | null,
  current: number | null,
  total: number | null,
  unit: string,
  stage: string,
  message: string,
];

/** What one process runs, as it travels. */
export interface JobsFrame {
  process: string;
  names: string[];
  owners: string[];
  jobs: PackedJob[];
}

export function packJobs(process: string, running: RunningJob[]): JobsFrame {
  const names = new Places();
  const owners = new Places();
  const jobs = running.map((job): PackedJob => {
    const { id, name, owner, attempt, startedAt, percent, etaMs, ratePerSecond, current, total } = job;
    return [
      id,
      names.of(name),
      owner === undefined ? -1 : owners.of(owner),
      attempt,
      startedAt,
      percent,
      etaMs ?? null,
      ratePerSecond ?? null,
      current ?? null,
      total ?? null,
      job.unit ?? '',
      job.stage ?? '',
      (job.message ?? '').slice(0, MAX_TEXT),
    ];
  });
  return { process, names: names.list, owners: owners.list, jobs };
}

/** The opposite of {@link packJobs}. */
export function unpackJobs({ names, owners, jobs }: JobsFrame): RunningJob[] {
  return jobs.map(
    ([id, name, owner, attempt, startedAt, percent, etaMs, rate, current, total, unit, stage, message]) => ({
      id,
      name: names[name] ?? '',
      owner: owners[owner],
      attempt,
      startedAt,
      percent,
      etaMs: etaMs ?? undefined,
      ratePerSecond: rate ?? undefined,
      current: current ?? undefined,
      total: total ?? undefined,
      unit: unit || undefined,
      stage: stage || undefined,
      message: message || undefined,
    }),
  );
}

/** Gives each word a place in a list. */
class Places {
  readonly list: string[] = [];
  private readonly known = new Map<string, number>();

  of(word: string): number {
    let place = this.known.get(word);
    if (place === undefined) {
      place = this.list.push(word) - 1;
      this.known.set(word, place);
    }
    return place;
  }
}

/** The notice that jobs have changed their state: whose, or everybody's. */
export interface ChangedFrame {
  owners: string[];
  all: boolean;
}

/** The events of the dashboard's channel. */
export const JOBS_EVENT = 'jobs';
export const CHANGED_EVENT = 'changed';
