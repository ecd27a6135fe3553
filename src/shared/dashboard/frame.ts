import type { RunningJob } from './running.js';

const MAX_TEXT = 200;

/** A job in a frame, in a compact form because there may be thousands. Names and owners are indexes into lists. */
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
  /** Absent in frames of earlier releases. */
  title?: string,
];

/** The running jobs of one process, as published on the dashboard's channel. */
export interface JobsFrame {
  process: string;
  names: string[];
  owners: string[];
  jobs: PackedJob[];
}

/** Converts the running jobs of a process to a frame. */
export function packJobs(process: string, running: RunningJob[]): JobsFrame {
  const names = new WordList();
  const owners = new WordList();
  const jobs = running.map((job) => {
    const { id, name, owner, attempt, startedAt, percent, etaMs, ratePerSecond, current, total } = job;
    const packed: PackedJob = [
      id,
      names.indexOf(name),
      owner === undefined ? -1 : owners.indexOf(owner),
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
    if (job.title) packed.push(job.title);
    return packed;
  });
  return { process, names: names.list, owners: owners.list, jobs };
}

/** Parses the result of {@link packJobs}. */
export function unpackJobs({ names, owners, jobs }: JobsFrame): RunningJob[] {
  return jobs.map(
    ([
      id,
      name,
      owner,
      attempt,
      startedAt,
      percent,
      etaMs,
      rate,
      current,
      total,
      unit,
      stage,
      message,
      title,
    ]) => ({
      id,
      name: names[name] ?? '',
      title,
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

/** Collects distinct words in a list. */
class WordList {
  readonly list: string[] = [];
  private readonly known = new Map<string, number>();

  indexOf(word: string): number {
    let index = this.known.get(word);
    if (index === undefined) {
      index = this.list.push(word) - 1;
      this.known.set(word, index);
    }
    return index;
  }
}

/** The notice that jobs have changed their state: jobs of these owners, or of all. */
export interface ChangedFrame {
  owners: string[];
  all: boolean;
}

/** The events of the dashboard's channel. */
export const JOBS_EVENT = 'jobs';
export const CHANGED_EVENT = 'changed';
