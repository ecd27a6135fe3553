import { MINUTES_SHOWN, type MinuteView, minuteOf } from '../../../shared/dashboard/minutes.js';
import type {
  ActiveJob,
  FailedJob,
  ProcessView,
  QueueState,
  RedisState,
} from '../../../shared/dashboard/views.js';

/** How many jobs are in each state. */
export type StateCounts = Record<string, number>;

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
  processes?: ProcessView[];
  redis?: RedisState | null;
  viewers?: number;
  minutes: Map<number, MinuteView>;
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
export type DashboardFrame = Partial<Omit<DashboardState, 'minutes'>> & {
  at: number;
  minutes?: MinuteView[];
};

/** The next state after a frame. */
export function applyFrame(
  state: DashboardState,
  { minutes = [], ...sections }: DashboardFrame,
): DashboardState {
  if (minutes.length === 0) return { ...state, ...sections };
  const oldest = minuteOf(sections.at) - MINUTES_SHOWN;
  const kept = [...state.minutes].filter(([minute]) => minute > oldest);
  const published = minutes.map((minute): [number, MinuteView] => [minute.minute, minute]);
  return { ...state, ...sections, minutes: new Map([...kept, ...published]) };
}
