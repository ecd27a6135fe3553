import type { Labels } from './types.js';

/** The English words, which are the default. */
const en: Labels = {
  lang: 'en',
  progress: 'Progress',
  waiting: 'Waiting',
  paused: 'Waiting (paused)',
  noWorker: 'Waiting: no workers running',
  delayed: 'Delayed',
  running: 'Running',
  retrying: 'Retrying',
  interrupted: 'Interrupted',
  cancelling: 'Cancelling',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled',
  connecting: 'Connecting',
  notFound: 'Not found',
  cannotLoad: "Can't load this job",
  disconnected: '{state} (disconnected, reconnecting)',
  stalled: '{state}, stalled for {time}',
  placed: '{state}, {place}',
  next: 'next',
  jobsBefore: { one: '{count} job before it', other: '{count} jobs before it' },
  atLeast: 'at least {place}',
  begins: '{place}, begins in about {time}',
  percent: '{percent} %',
  spokenPercent: '{percent} percent',
  announcement: '{label}: {state}',
  announcedProgress: '{label}: {state}, {percent} percent',
  announcedError: '{label}: {state}: {error}',
};
export default en;
