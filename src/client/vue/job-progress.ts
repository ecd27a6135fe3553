import { computed, defineComponent, h, inject, type PropType } from 'vue';
import { BAR_STYLE, fillStyle, VISUALLY_HIDDEN } from '../bar-style.js';
import type { JobReference } from '../client.js';
import { announcement, barAttributes, failureText, liveLabel, percentLabel } from '../labels/job-labels.js';
import { completeLabels } from '../labels/message.js';
import type { Labels } from '../labels/types.js';
import type { NoEvents } from '../types.js';
import type { WatchedJob } from '../view.js';
import { labelsKey, type UsedJob, useTimedJob } from './use.js';

const component = defineComponent({
  name: 'JobProgress',
  props: {
    /** The job's id, a link to it, or the result of `startJob`. */
    job: { type: [String, Object] as PropType<JobReference>, default: undefined },
    /** The job's token, if nothing else grants access. */
    token: { type: String, default: undefined },
    /** The name of the bar for screen readers. Defaults to `Progress`, or the translation. */
    label: { type: String, default: undefined },
    /** The words, such as those of `headway-client/labels/de`. Defaults to those of the plugin, then to English. */
    labels: { type: Object as PropType<Partial<Labels> | undefined>, default: undefined },
  },
  setup(props, { slots }) {
    const { job, cancel, retry, timing } = useTimedJob(() => props.job, { token: () => props.token });
    const provided = inject(labelsKey, undefined);
    const words = computed(() => completeLabels(props.labels ?? provided));
    return () => {
      const now = job.value;
      const labels = words.value;
      const label = props.label ?? labels.progress;
      const failure = failureText(now);
      const seen = slots.default?.({ job: now, cancel, retry }) ?? [
        h(
          'div',
          { class: 'headway-bar', ...barAttributes(now, label, labels), style: BAR_STYLE },
          h('div', { class: 'headway-fill', style: fillStyle(now) }),
        ),
        h('span', { class: 'headway-percent', 'aria-hidden': 'true' }, percentLabel(now, labels)),
        ' ',
        h('span', { class: 'headway-state', 'aria-hidden': 'true' }, liveLabel(now, timing.value, labels)),
        failure && h('div', { class: 'headway-error', dir: 'auto', 'aria-hidden': 'true' }, failure),
      ];
      return h('div', { class: 'headway-job', 'data-state': now.state, 'data-status': now.status }, [
        seen,
        h('span', { role: 'status', style: VISUALLY_HIDDEN }, announcement(now, label, labels)),
      ]);
    };
  },
});

/** Props of {@link JobProgress}. */
export interface JobProgressProps<R = unknown, E = NoEvents> {
  /** The job's id, a link to it, or the result of `startJob`. */
  job?: JobReference<R, E> | undefined;
  /** The job's token, if nothing else grants access. */
  token?: string | undefined;
  /** The name of the bar for screen readers. Defaults to `Progress`. */
  label?: string | undefined;
}

/** The component with the types of a job: those of a started job are known in the slot. */
type TypedComponent = new <R = unknown, E = NoEvents>(
  props: JobProgressProps<R, E>,
) => {
  $props: JobProgressProps<R, E>;
  $slots: { default?(slot: { job: WatchedJob<R> } & Pick<UsedJob<R>, 'cancel' | 'retry'>): unknown };
};

/**
 * A live progress bar of a job, with minimal styling. Its parts have classes: `headway-job` (with `data-state` and
 * `data-status`), `headway-bar`, `headway-fill`, `headway-percent`, `headway-state`, and `headway-error` if the job failed.
 * The default slot replaces everything visible, and gets `job`, `cancel` and `retry`.
 */
export const JobProgress = component as TypedComponent & typeof component;
