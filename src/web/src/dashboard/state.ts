import { MINUTES_SHOWN, type MinuteView, minuteOf } from '../../../shared/dashboard/minutes.js';
import type {
  ActiveJob,
  FailedJob,
  FiringAlert,
  ProcessView,
  QueueState,
  RedisState,
} from '../../../shared/dashboard/views.js';

/** The number of jobs in each state. */
export type StateCounts = Record<string, number>;

/** The state of the page: the sections of the stream. Sections for admins are absent for others. */
export interface DashboardState {
  /** When the newest frame was created, by the server's clock; 0 before the first frame. */
  at: number;
  admin: boolean;
  /** Whether the server can reach Redis. */
  live: boolean;
  states: StateCounts;
  names: Record<string, StateCounts>;
  /** The rows starting at `from`, of `total`. */
  active: { total: number; from: number; jobs: ActiveJob[] };
  failed: FailedJob[];
  queues: QueueState[];
  processes?: ProcessView[];
  redis?: RedisState | null;
  alerts?: FiringAlert[];
  viewers?: number;
  minutes: Map<number, MinuteView>;
}

export const initialState = (): DashboardState => ({
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

/** A frame: the changed sections, each complete, and the changed minutes. */
export type DashboardFrame = Partial<Omit<DashboardState, 'minutes'>> & {
  at: number;
  minutes?: MinuteView[];
};

/** Applies a frame to a state and returns the changed state. */
export function applyFrame(
  state: DashboardState,
  { minutes = [], ...sections }: DashboardFrame,
): DashboardState {
  if (minutes.length === 0) return { ...state, ...sections };
  const oldest = minuteOf(sections.at) - MINUTES_SHOWN;
  const kept = [...state.minutes].filter(([minute]) => minute > oldest);
  const changed = minutes.map((minute): [number, MinuteView] => [minute.minute, minute]);
  return { ...state, ...sections, minutes: new Map([...kept, ...changed]) };
}
