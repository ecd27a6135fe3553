/** How many jobs are in each state. */
export type StateCounts = Record<string, number>;

/** A job that runs. Times are ms since 1970 unless a name says otherwise. */
export interface ActiveJob {
  id: string;
  name: string;
  attempt: number;
  startedAt: number;
  percent: number | null;
  stage?: string;
  current?: number;
  total?: number;
  unit?: string;
  ratePerSecond?: number;
  etaMs?: number;
  message?: string;
  process?: string;
}

export interface FailedJob {
  id: string;
  name: string;
  attempt: number;
  attempts: number;
  createdAt: number;
  finishedAt?: number;
  error: { message: string; code?: string };
}

/** What ended in a minute (minutes since 1970); times in ms. */
export interface Minute {
  minute: number;
  completed: number;
  failed: number;
  cancelled: number;
  wait: [p50: number, p95: number] | null;
  run: [p50: number, p95: number] | null;
}

export interface ProcessState {
  id: string;
  role: 'worker' | 'api';
  host: string;
  pid: number;
  version: string;
  startedAt: number;
  rssBytes: number;
  heapBytes: number;
  running?: number;
  queues?: Array<{ name: string; concurrency: number }>;
  viewers?: number;
}

export interface QueueState {
  name: string;
  jobs: string[];
  paused: boolean;
}

export interface RedisState {
  version: string;
  usedBytes: number;
  peakBytes: number;
  maxBytes: number;
  clients: number;
}

/** What the page knows: the sections of the stream. What only an admin gets is absent for others. */
export interface DashboardState {
  /** When the newest frame was made, by the clock of the server; 0: none came yet. */
  at: number;
  admin: boolean;
  /** Whether the server reaches Redis. */
  live: boolean;
  states: StateCounts;
  names: Record<string, StateCounts>;
  /** The rows from `from` on, of `total`. */
  active: { total: number; from: number; jobs: ActiveJob[] };
  failed: FailedJob[];
  queues: QueueState[];
  processes?: ProcessState[];
  redis?: RedisState | null;
  viewers?: number;
  minutes: Map<number, Minute>;
}

export const emptyState = (): DashboardState => ({
  at: 0,
  admin: false,
  live: false,
  states: {},
  names: {},
  active: { total: 0, from: 0, jobs: [] },
  failed: [],
  queues: [],
  minutes: new Map(),
});

/** A frame: the sections that have changed, each as a whole; of the minutes those that have. */
export type DashboardFrame = Partial<Omit<DashboardState, 'minutes'>> & { at: number; minutes?: Minute[] };

/** The charts show this many minutes. */
export const MINUTES_SHOWN = 60;

/** The next state after a frame. */
export function applyFrame(
  state: DashboardState,
  { minutes = [], ...sections }: DashboardFrame,
): DashboardState {
  if (minutes.length === 0) return { ...state, ...sections };
  const oldest = Math.floor(sections.at / 60_000) - MINUTES_SHOWN;
  const kept = [...state.minutes].filter(([minute]) => minute > oldest);
  const told = minutes.map((minute): [number, Minute] => [minute.minute, minute]);
  return { ...state, ...sections, minutes: new Map([...kept, ...told]) };
}
