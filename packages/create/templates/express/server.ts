import express from 'express';
import { createHeadway } from 'headway-jobs/server';
import * as jobs from './jobs.ts';

const headway = await createHeadway({ jobs: Object.values(jobs) });

const app = express();
app.use(headway.router); // before body parsers
app.use(express.static('public'));

const port = Number(process.env.PORT ?? 3000);
const server = app.listen(port, '127.0.0.1', () => console.log(`Open http://127.0.0.1:${port}/`));

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await headway.close();
    server.close();
  });
}
