import { onScopeDispose, type Ref, ref, shallowRef, watch } from 'vue';
import type { HistoryView, Range } from '../../../shared/dashboard/hours.js';
import { fetchHistory } from '../api';

/** The range of the charts: the last hour comes with the stream, longer ones are requested. */
export type ChartRange = '1h' | Range;

/** How often the history is requested again, in ms: as often as the service updates it, and after an error. */
const REFRESH_MS = { loaded: 5 * 60_000, failed: 15_000 };

/** Requests the history of a range and a kind of job, and requests it again from time to time. */
export function useHistory(range: Ref<ChartRange>, name: Ref<string>) {
  const history = shallowRef<HistoryView>();
  const failed = ref(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let current: AbortController | undefined;

  async function load(): Promise<void> {
    clearTimeout(timer);
    current?.abort();
    if (range.value === '1h') return;
    const mine = new AbortController();
    current = mine;
    let wait = REFRESH_MS.loaded;
    try {
      const loaded = await fetchHistory(range.value, name.value, mine.signal);
      if (mine !== current) return;
      history.value = loaded;
      failed.value = false;
    } catch {
      if (mine !== current) return;
      failed.value = true;
      wait = REFRESH_MS.failed;
    }
    timer = setTimeout(load, wait);
  }

  watch([range, name], () => {
    // Another range or kind must not be taken for the requested one.
    history.value = undefined;
    failed.value = false;
    void load();
  });
  onScopeDispose(() => {
    clearTimeout(timer);
    current?.abort();
    current = undefined;
  });
  return { history, failed };
}
