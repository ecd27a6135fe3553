import { onScopeDispose, type Ref, ref, shallowRef, watch } from 'vue';
import { createClient } from '../../../client/index.js';
import { applyEvent, emptyJob, type JobEvent, type JobView, jobEvents } from './state';

export type Connection = 'connecting' | 'live' | 'reconnecting' | 'ended' | 'gone';

const client = createClient();
const known: readonly string[] = jobEvents;

/**
 * Follows the stream of a job while the component lives, over the connection that all tabs share. The cookie of the 202
 * opens it. `open` goes on after an end, for a job that runs again.
 * @param onEvent hears of each event
 */
export function useJobStream(
  id: Ref<string>,
  onEvent: (event: JobEvent, data: Record<string, unknown>) => void = () => {},
) {
  const job = shallowRef<JobView>(emptyJob());
  const connection = ref<Connection>('connecting');
  let lastEventId: string | undefined;
  let stop = (): void => {};

  function open(): void {
    stop();
    connection.value = 'connecting';
    stop = client.watchJob(id.value, { lastEventId }).watch({
      onEvent(event) {
        lastEventId = event.id;
        // A job may have events of its own.
        if (known.includes(event.event)) {
          job.value = applyEvent(job.value, event.event as JobEvent, event.data);
          onEvent(event.event as JobEvent, { ...event.data });
        }
      },
      onStatus(status) {
        connection.value = status === 'stale' ? 'reconnecting' : status;
      },
      onEnd(problem) {
        if (problem) connection.value = 'gone';
      },
    });
  }

  watch(
    id,
    () => {
      job.value = emptyJob();
      lastEventId = undefined;
      open();
    },
    { immediate: true },
  );
  onScopeDispose(() => stop());
  return { job, connection, open };
}
