/** The words of the components, for translations. `headway/labels/de` and `headway/labels/ja` are complete examples. */
export { default as en } from './en.js';
export { liveLabel, percentLabel, stateLabel } from './job-labels.js';
export type { Labels, Message, Plural } from './types.js';
