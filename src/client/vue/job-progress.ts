import { defineComponent, h, type PropType } from 'vue';
import type { JobReference } from '../client.js';
import { announcement, barAttributes, fillOf, isIndeterminate, liveWords, percentText } from '../words.js';
import { useTimedJob } from './use.js';

/** Read by screen readers, not seen. */
const UNSEEN = {
  position: 'absolute',
  width: '1px',
  height: '1px',
  overflow: 'hidden',
  clipPath: 'inset(50%)',
  whiteSpace: 'nowrap',
} as const;

/** Stripes over the whole bar, for a job that runs without saying how far it is. */
const STRIPES = 'repeating-linear-gradient(135deg, currentColor 0 0.3em, transparent 0.3em 0.9em)';

/**
 * A live bar of a job. It comes with no more looks than that it works; its parts have classes: `headway-job` (with
 * `data-state` and `data-status`), `headway-bar`, `headway-fill`, `headway-percent`, `headway-state`. The default slot
 * takes the place of all that is seen, and is given `job`, `cancel` and `retry`.
 */
export const JobProgress = defineComponent({
  name: 'JobProgress',
  props: {
    /** Its id, a link to it, or what `startJob` gave. */
    job: { type: [String, Object] as PropType<JobReference>, default: undefined },
    /** The job's token, where nothing else opens it. */
    token: { type: String, default: undefined },
    /** What the bar is of, for those who do not see it. */
    label: { type: String, default: 'Progress' },
  },
  setup(props, { slots }) {
    const { job, cancel, retry, stalled } = useTimedJob(() => props.job, { token: () => props.token });
    return () => {
      const now = job.value;
      const seen = slots.default?.({ job: now, cancel, retry }) ?? [
        h(
          'div',
          {
            class: 'headway-bar',
            ...barAttributes(now, props.label),
            style: { background: 'color-mix(in srgb, currentColor 15%, transparent)', height: '0.75em' },
          },
          h('div', {
            class: 'headway-fill',
            style: isIndeterminate(now)
              ? { background: STRIPES, height: '100%', width: '100%' }
              : { background: 'currentColor', height: '100%', width: `${100 * fillOf(now)}%` },
          }),
        ),
        h('span', { class: 'headway-percent', 'aria-hidden': 'true' }, percentText(now)),
        ' ',
        h('span', { class: 'headway-state', 'aria-hidden': 'true' }, liveWords(now, stalled.value)),
      ];
      return h('div', { class: 'headway-job', 'data-state': now.state, 'data-status': now.status }, [
        seen,
        h('span', { role: 'status', style: UNSEEN }, announcement(now, props.label)),
      ]);
    };
  },
});
