import { onScopeDispose, type Ref, ref, shallowRef, watch } from 'vue';
import { applyEvent, emptyJob, isEnd, type JobView, jobEvents } from './state';

export type Connection = 'connecting' | 'live' | 'reconnecting' | 'ended' | 'gone';

/** Follows the stream of a job while the component lives. The cookie of the 202 opens it. */
export function useJobStream(id: Ref<string>) {
  const job = shallowRef<JobView>(emptyJob());
  const connection = ref<Connection>('connecting');
  let source: EventSource | undefined;

  function follow(): void {
    source?.close();
    job.value = emptyJob();
    connection.value = 'connecting';
    if (!id.value) return;
    const stream = new EventSource(`/v1/jobs/${encodeURIComponent(id.value)}/events`);
    source = stream;
    stream.onopen = () => {
      connection.value = 'live';
    };
    stream.onerror = () => {
      // Closed by the browser: it was told that there is nothing (more) to see.
      if (stream.readyState === EventSource.CLOSED) connection.value = isEnd(job.value.state) ? 'ended' : 'gone';
      else connection.value = 'reconnecting';
    };
    for (const event of jobEvents) {
      stream.addEventListener(event, (message) => {
        job.value = applyEvent(job.value, event, JSON.parse(message.data));
        if (isEnd(job.value.state)) {
          stream.close();
          connection.value = 'ended';
        }
      });
    }
  }

  watch(id, follow, { immediate: true });
  onScopeDispose(() => source?.close());
  return { job, connection };
}
