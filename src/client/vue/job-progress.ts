import { defineComponent, h, type PropType } from 'vue';
import { BAR_STYLE, fillStyle, VISUALLY_HIDDEN } from '../bar-style.js';
import type { JobReference } from '../client.js';
import { announcement, barAttributes, failureText, liveLabel, percentLabel } from '../labels.js';
import { useTimedJob } from './use.js';

/**
 * A live progress bar of a job, with minimal styling. Its parts have classes: `headway-job` (with `data-state` and
 * `data-status`), `headway-bar`, `headway-fill`, `headway-percent`, `headway-state`, and `headway-error` if the job failed.
 * The default slot replaces everything visible, and gets `job`, `cancel` and `retry`.
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
    const { job, cancel, retry, detail } = useTimedJob(() => props.job, { token: () => props.token });
    return () => {
      const now = job.value;
      const failure = failureText(now);
      const seen = slots.default?.({ job: now, cancel, retry }) ?? [
        h(
          'div',
          { class: 'headway-bar', ...barAttributes(now, props.label), style: BAR_STYLE },
          h('div', { class: 'headway-fill', style: fillStyle(now) }),
        ),
        h('span', { class: 'headway-percent', 'aria-hidden': 'true' }, percentLabel(now)),
        ' ',
        h('span', { class: 'headway-state', 'aria-hidden': 'true' }, liveLabel(now, detail.value)),
        failure && h('div', { class: 'headway-error', dir: 'auto', 'aria-hidden': 'true' }, failure),
      ];
      return h('div', { class: 'headway-job', 'data-state': now.state, 'data-status': now.status }, [
        seen,
        h('span', { role: 'status', style: VISUALLY_HIDDEN }, announcement(now, props.label)),
      ]);
    };
  },
});
