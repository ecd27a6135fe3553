import { onScopeDispose, shallowReactive, watch } from 'vue';
import { type FollowedJob, followJob, type PageJob } from '../job/follow-job';
import { createLongEndDetector } from './long-end';

/** Follows jobs while the component is mounted: each wanted job once, regardless of how many components show it. */
export function useFollowedJobs(wanted: () => string[], onLongEnd: (job: PageJob) => void) {
  const followed = shallowReactive(new Map<string, FollowedJob>());

  function begin(id: string): void {
    const entry = followJob(id);
    const endedNow = createLongEndDetector();
    const unwatch = watch(
      entry.job,
      (job) => {
        if (endedNow(job)) onLongEnd(job);
      },
      { flush: 'sync' },
    );
    followed.set(id, {
      ...entry,
      stop() {
        unwatch();
        entry.stop();
      },
    });
  }

  watch(
    wanted,
    (ids) => {
      for (const [id, entry] of followed) {
        if (ids.includes(id)) continue;
        entry.stop();
        followed.delete(id);
      }
      for (const id of ids) if (!followed.has(id)) begin(id);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    for (const entry of followed.values()) entry.stop();
  });
  return followed as ReadonlyMap<string, FollowedJob>;
}
