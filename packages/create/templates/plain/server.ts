import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createHeadway } from 'headway-jobs/server';
import * as jobs from './jobs.ts';

const headway = await createHeadway({ jobs: Object.values(jobs) });

const server = createServer((req, res) => {
  // Called for every request that is not for Headway.
  headway.router(req, res, async () => {
    if (req.url !== '/') return res.writeHead(404).end('Not found');
    const page = await readFile('public/index.html');
    res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page);
  });
});

const port = Number(process.env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => console.log(`Open http://127.0.0.1:${port}/`));

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await headway.close();
    server.close();
  });
}
