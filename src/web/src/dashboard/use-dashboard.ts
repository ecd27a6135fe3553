import { onScopeDispose, type Ref, ref, shallowRef, watch } from 'vue';
import { ROOT } from '../service';
import { NoStream, readStream } from './read-stream';
import { applyFrame, type DashboardFrame, type DashboardState, emptyState } from './state';
import { streamOf, type View } from './view';

/** How the page stands to what it shows. */
export type Liveness = 'connecting' | 'live' | 'stale' | 'reconnecting' | 'signed-out';

/** The server says something every second at least. */
const STALE_MS = 1800;
const LOOK_MS = 200;
const DEAD_MS = 10_000;
/** The longest wait before another try: in a tab that is seen, and in one that is not. */
const RETRY_MS = { first: 1000, seen: 4000, hidden: 15_000 };

/**
 * Measures from now on, in ms, by the clock that says more: the time of day may be set back, and the other clock may stand
 * still while the device sleeps.
 */
function stopwatch(): () => number {
  const [day, even] = [Date.now(), performance.now()];
  return () => Math.max(Date.now() - day, performance.now() - even);
}

/**
 * Follows the dashboard's stream while the component lives: one connection. Another view opens another one, and the
 * old one goes on until the new one has told what there is.
 */
export function useDashboard(view: Ref<View>) {
  const state = shallowRef<DashboardState>(emptyState());
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
        if (event === 'unauthorized') throw new NoStream(401);
        if (event !== 'dashboard' || mine !== current) return;
        if (!next) before?.abort();
        next = applyFrame(next ?? emptyState(), JSON.parse(data) as DashboardFrame);
        state.value = next;
        silence = stopwatch();
        failures = 0;
        liveness.value = next.live ? 'live' : 'stale';
      });
      if (mine === current) retry();
    } catch (error) {
      if (mine !== current) return;
      if (error instanceof NoStream && (error.status === 401 || error.status === 403)) {
        liveness.value = 'signed-out';
      } else retry();
    } finally {
      before?.abort();
      mine.abort();
    }
  }

  function retry(): void {
    liveness.value = 'reconnecting';
    const most = document.visibilityState === 'visible' ? RETRY_MS.seen : RETRY_MS.hidden;
    const wait = Math.min(RETRY_MS.first * 2 ** failures++, most);
    // Those that were cut off together do not come back together.
    timer = setTimeout(open, wait * (0.5 + Math.random() / 2));
  }

  const watchdog = setInterval(() => {
    if (liveness.value !== 'live' && liveness.value !== 'stale') return;
    const silent = silence();
    if (silent > DEAD_MS) {
      current?.abort();
      current = undefined;
      retry();
    } else if (silent > STALE_MS) liveness.value = 'stale';
  }, LOOK_MS);
  /** Whoever comes back to the tab does not wait. */
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
