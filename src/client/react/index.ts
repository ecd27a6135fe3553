/** Headway for React 18 and newer: hooks for live jobs and channels, a component, and types for the element in JSX. */
import type * as React from 'react';
import type { JobProgressElement } from '../element/job-progress.js';
import type { Labels } from '../labels/types.js';

export type { Labels } from '../labels/types.js';
export type { WatchedChannel, WatchedJob } from '../view.js';
export { JobProgress, type JobProgressProps } from './job-progress.js';
export {
  HeadwayProvider,
  type HeadwayProviderProps,
  type UsedJob,
  type UseJobOptions,
  useChannel,
  useHeadway,
  useJob,
} from './use.js';

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      /** The element of `headway-client/element`. */
      'job-progress': React.DetailedHTMLProps<
        React.HTMLAttributes<JobProgressElement>,
        JobProgressElement
      > & {
        src?: string | undefined;
        token?: string | undefined;
        label?: string | undefined;
        /** A property, which React sets from version 19 on. */
        labels?: Partial<Labels> | undefined;
      };
    }
  }
}
