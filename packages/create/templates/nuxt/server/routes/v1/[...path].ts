import { createHeadway } from 'headway-jobs/server';
import * as jobs from '../../jobs';

const headway = createHeadway({ jobs: Object.values(jobs) });

// The server ends when the open streams have ended.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, async () => (await headway).close());

export default fromNodeMiddleware((req, res, next) => {
  headway.then(({ router }) => router(req, res, (error) => next(error as Error))).catch(next);
});
