import { onScopeDispose, type Ref, ref, shallowRef, watch } from 'vue';
import { ROOT } from '../service';
import { readStream, StreamRefusedError } from './read-stream';
import { applyFrame, type DashboardFrame, type DashboardState, initialState } from './state';
import { streamOf, type View } from './view';

/** Whether the page shows current data, or why not. */
export type Liveness = 'connecting' | 'live' | 'stale' | 'reconnecting' | 'signed-out';

/** The time without data after which the stream counts as stale, in ms. The server sends a frame at least every second. */
const STALE_MS = 1800;
/** How often the age of the last frame is checked, in ms. */
const CHECK_MS = 200;
/** The time without data after which the stream is reopened, in ms. */
const DEAD_MS = 10_000;
/** The first delay before another attempt, and the longest one in a visible and in a hidden tab, in ms. */
const RETRY_MS = { first: 1000, visible: 4000, hidden: 15_000 };

/**
 * Measures the time from now on, in ms, as the larger value of two clocks: the time of day may be set back, and the
 * monotonic clock may stop while the device sleeps.
 */
function stopwatch(): () => number {
  const [day, even] = [Date.now(), performance.now()];
  return () => Math.max(Date.now() - day, performance.now() - even);
}

/**
 * Follows the dashboard's stream over one connection while the component is mounted. A new view opens a new connection,
 * and the old one stays open until the first frame of the new one.
 */
export function useDashboard(view: Ref<View>) {
  const state = shallowRef<DashboardState>(initialState());
  const liveness = ref<Liveness>('connecting');
  let current: AbortController | undefined;
  let silence = stopwatch();
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function open(): Promise<void> {
    clearTimeout(timer);
    const before = current;
    const mine = new AbortController();
    current = mine;
    silence = stopwatch();
    let next: DashboardState | undefined;
    try {
      await readStream(ROOT + streamOf(view.value), mine.signal, (event, data) => {
        if (event === 'unauthorized') throw new StreamRefusedError(401);
        if (event !== 'dashboard' || mine !== current) return;
        if (!next) before?.abort();
        next = applyFrame(next ?? initialState(), JSON.parse(data) as DashboardFrame);
        state.value = next;
        silence = stopwatch();
        failures = 0;
        liveness.value = next.live ? 'live' : 'stale';
      });
      if (mine === current) retry();
    } catch (error) {
      if (mine !== current) return;
      const { status = 0, retryAfterMs = 0 } = error instanceof StreamRefusedError ? error : {};
      if (status === 401 || status === 403) liveness.value = 'signed-out';
      else retry(retryAfterMs);
    } finally {
      before?.abort();
      mine.abort();
    }
  }

  /** @param afterMs when the service accepts another attempt, in ms */
  function retry(afterMs = 0): void {
    liveness.value = 'reconnecting';
    const most = document.visibilityState === 'visible' ? RETRY_MS.visible : RETRY_MS.hidden;
    const wait = Math.min(RETRY_MS.first * 2 ** failures++, most);
    // A random delay, so that pages that lost their connection together do not all return at once.
    timer = setTimeout(open, afterMs + wait * (0.5 + Math.random() / 2));
  }

  const watchdog = setInterval(() => {
    if (liveness.value !== 'live' && liveness.value !== 'stale') return;
    const silent = silence();
    if (silent > DEAD_MS) {
      current?.abort();
      current = undefined;
      retry();
    } else if (silent > STALE_MS) liveness.value = 'stale';
  }, CHECK_MS);
  /** Reconnects at once when the visitor returns to the tab. */
  const comeBack = (): void => {
    if (document.visibilityState === 'visible' && liveness.value === 'reconnecting') void open();
  };
  document.addEventListener('visibilitychange', comeBack);

  watch(view, open, { immediate: true });
  onScopeDispose(() => {
    clearInterval(watchdog);
    document.removeEventListener('visibilitychange', comeBack);
    clearTimeout(timer);
    const last = current;
    current = undefined;
    last?.abort();
  });
  return { state, liveness };
}
