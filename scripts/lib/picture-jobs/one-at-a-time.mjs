import job from './import-people.mjs';

/** The same job, one at a time, so that others have to wait. */
export default { ...job, name: 'one-at-a-time', concurrency: 1 };
