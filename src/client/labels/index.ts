/** The words of the components, for translations. `headway-client/labels/de` and `headway-client/labels/ja` are complete examples. */
export { default as en } from './en.js';
export { liveLabel, percentLabel, stateLabel } from './job-labels.js';
export type { Labels, Message, Plural } from './types.js';
