import { onScopeDispose, type Ref, ref, shallowRef, watch } from 'vue';
import { applyEvent, emptyJob, isEnd, type JobEvent, type JobView, jobEvents } from './state';

export type Connection = 'connecting' | 'live' | 'reconnecting' | 'ended' | 'gone';

const RETRY_MS = 2000;

/**
 * Follows the stream of a job while the component lives. The cookie of the 202 opens it. `open` goes on after an end,
 * for a job that runs again.
 * @param onEvent hears of each event
 */
export function useJobStream(
  id: Ref<string>,
  onEvent: (event: JobEvent, data: Record<string, unknown>) => void = () => {},
) {
  const job = shallowRef<JobView>(emptyJob());
  const connection = ref<Connection>('connecting');
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let lastEventId = '';

  function stop(): void {
    source?.close();
    source = undefined;
    clearTimeout(timer);
  }

  function open(): void {
    stop();
    const path = `/v1/jobs/${encodeURIComponent(id.value)}`;
    const stream = new EventSource(`${path}/events${lastEventId ? `?lastEventId=${lastEventId}` : ''}`);
    source = stream;
    stream.onopen = () => {
      connection.value = 'live';
    };
    stream.onerror = () => {
      if (stream !== source) return;
      connection.value = 'reconnecting';
      if (stream.readyState === EventSource.CLOSED) lookAgain(path);
    };
    for (const event of jobEvents) {
      stream.addEventListener(event, (message) => {
        lastEventId = message.lastEventId;
        const data = JSON.parse(message.data);
        job.value = applyEvent(job.value, event, data);
        onEvent(event, data);
        if (isEnd(job.value.state)) {
          stop();
          connection.value = 'ended';
        }
      });
    }
  }

  /** A browser gives up at any answer but a stream (a 503, say). Only a job that is not there is a reason to. */
  async function lookAgain(path: string): Promise<void> {
    const status = await fetch(path).then(
      (response) => response.status,
      () => 0,
    );
    if (!source) return;
    if (status === 404 || status === 410 || status === 401) connection.value = 'gone';
    else timer = setTimeout(open, RETRY_MS);
  }

  watch(
    id,
    () => {
      job.value = emptyJob();
      connection.value = 'connecting';
      lastEventId = '';
      open();
    },
    { immediate: true },
  );
  onScopeDispose(stop);
  return { job, connection, open };
}
