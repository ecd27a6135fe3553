import { createElement as h, type ReactNode } from 'react';
import { BAR_STYLE, fillStyle, VISUALLY_HIDDEN } from '../bar-style.js';
import type { JobReference } from '../client.js';
import { announcement, barAttributes, failureText, liveLabel, percentLabel } from '../labels/job-labels.js';
import type { Labels } from '../labels/types.js';
import type { NoEvents } from '../types.js';
import { type UsedJob, useLabels, useTimedJob } from './use.js';

export interface JobProgressProps<R = unknown, E = NoEvents> {
  /** The job's id, a link to it, or the result of `startJob`; `undefined` or `null` if there is none yet. */
  job: JobReference<R, E> | null | undefined;
  /** The job's token, if nothing else grants access. */
  token?: string | undefined;
  /** The name of the bar for screen readers. Defaults to `Progress`, or the translation. */
  label?: string | undefined;
  /** The words, such as those of `headway-client/labels/de`. Defaults to those of the provider, then to English. */
  labels?: Partial<Labels> | undefined;
  /** Replaces everything visible. */
  children?: (job: UsedJob<R>) => ReactNode;
}

/**
 * A live progress bar of a job, with minimal styling. Its parts have classes: `headway-job` (with `data-state` and
 * `data-status`), `headway-bar`, `headway-fill`, `headway-percent`, `headway-state`, and `headway-error` if the job failed.
 */
export function JobProgress<R = unknown, E = NoEvents>({
  job,
  token,
  label: given,
  labels: words,
  children,
}: JobProgressProps<R, E>) {
  const { now, timing } = useTimedJob(job, { token });
  const labels = useLabels(words);
  const label = given ?? labels.progress;
  const failure = failureText(now);
  return h(
    'div',
    { className: 'headway-job', 'data-state': now.state, 'data-status': now.status },
    children
      ? children(now)
      : [
          h(
            'div',
            { key: 'bar', className: 'headway-bar', ...barAttributes(now, label, labels), style: BAR_STYLE },
            h('div', { className: 'headway-fill', style: fillStyle(now) }),
          ),
          h(
            'span',
            { key: 'percent', className: 'headway-percent', 'aria-hidden': true },
            percentLabel(now, labels),
          ),
          ' ',
          h(
            'span',
            { key: 'state', className: 'headway-state', 'aria-hidden': true },
            liveLabel(now, timing, labels),
          ),
          failure &&
            h('div', { key: 'error', className: 'headway-error', dir: 'auto', 'aria-hidden': true }, failure),
        ],
    h('span', { role: 'status', style: VISUALLY_HIDDEN }, announcement(now, label, labels)),
  );
}
