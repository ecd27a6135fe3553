import { createHeadway } from 'headway-jobs/server';
import * as jobs from '../../jobs.ts';

const headway = createHeadway({ jobs: Object.values(jobs) });

// Handles the requests for Headway, and leaves all others to Nuxt.
export default fromNodeMiddleware((req, res, next) => {
  headway.then(({ router }) => router(req, res, next)).catch(next);
});
