import { defineComponent, h, type PropType } from 'vue';
import type { JobReference } from '../client.js';
import { announcement, barAttributes, fillOf, isIndeterminate, liveLabel, percentLabel } from '../labels.js';
import { useTimedJob } from './use.js';

/** Hides an element visually, but not from screen readers. */
const VISUALLY_HIDDEN = {
  position: 'absolute',
  width: '1px',
  height: '1px',
  overflow: 'hidden',
  clipPath: 'inset(50%)',
  whiteSpace: 'nowrap',
} as const;

/** Stripes over the whole bar, for a running job with unknown progress. */
const STRIPES = 'repeating-linear-gradient(135deg, currentColor 0 0.3em, transparent 0.3em 0.9em)';

/**
 * A live progress bar of a job, with minimal styling. Its parts have classes: `headway-job` (with `data-state` and
 * `data-status`), `headway-bar`, `headway-fill`, `headway-percent`, `headway-state`. The default slot replaces
 * everything visible, and gets `job`, `cancel` and `retry`.
 */
export const JobProgress = defineComponent({
  name: 'JobProgress',
  props: {
    /** The job's id, a link to it, or the result of `startJob`. */
    job: { type: [String, Object] as PropType<JobReference>, default: undefined },
    /** The job's token, if nothing else grants access. */
    token: { type: String, default: undefined },
    /** The name of the bar for screen readers. */
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
        h('span', { class: 'headway-percent', 'aria-hidden': 'true' }, percentLabel(now)),
        ' ',
        h('span', { class: 'headway-state', 'aria-hidden': 'true' }, liveLabel(now, stalled.value)),
      ];
      return h('div', { class: 'headway-job', 'data-state': now.state, 'data-status': now.status }, [
        seen,
        h('span', { role: 'status', style: VISUALLY_HIDDEN }, announcement(now, props.label)),
      ]);
    };
  },
});
