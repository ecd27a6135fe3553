import { onScopeDispose, shallowReactive, watch } from 'vue';
import { type FollowedJob, followJob, type PageJob } from '../job/follow-job';
import { createLongEndDetector } from './long-end';

/** Follows jobs while the component is mounted: each wanted job once, regardless of how many components show it. */
export function useFollowedJobs(wanted: () => string[], onLongEnd: (job: PageJob) => void) {
  const followed = shallowReactive(new Map<string, FollowedJob>());

  function begin(id: string): void {
    const one = followJob(id);
    const endedNow = createLongEndDetector();
    const unwatch = watch(
      one.job,
      (job) => {
        if (endedNow(job)) onLongEnd(job);
      },
      { flush: 'sync' },
    );
    followed.set(id, {
      ...one,
      stop() {
        unwatch();
        one.stop();
      },
    });
  }

  watch(
    wanted,
    (ids) => {
      for (const [id, one] of followed) {
        if (ids.includes(id)) continue;
        one.stop();
        followed.delete(id);
      }
      for (const id of ids) if (!followed.has(id)) begin(id);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    for (const one of followed.values()) one.stop();
  });
  return followed as ReadonlyMap<string, FollowedJob>;
}
