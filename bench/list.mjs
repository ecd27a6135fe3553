// A million finished jobs, a thousand of them by one caller: the time for a page of these, and the size of the index.
// The peer is BullMQ alone: getJobs(['completed']), page after page, filtered until the page is full.
import { Queue } from 'bullmq';
import { createJobList } from '../dist/api/jobs/list.js';
import { parseListQuery } from '../dist/api/jobs/list-query.js';
import { createPageReader } from '../dist/api/jobs/page.js';
import { apiScripts } from '../dist/api/jobs/scripts.js';
import { createPublisher } from '../dist/shared/channel/publisher.js';
import { createTracker } from '../dist/shared/job-index/tracker.js';
import { createRetentionTimes } from '../dist/shared/jobs/retention-times.js';
import { createKeyspace } from '../dist/shared/keyspace.js';
import { createJobFaults } from '../dist/shared/lifecycle/job-faults.js';
import { createReconciler } from '../dist/shared/lifecycle/reconcile.js';
import { connectRedis } from '../dist/shared/redis/connect.js';
import { sharedScripts } from '../dist/shared/runtime/scripts.js';
import { inGroups, writeFinishedJob } from './lib/finished-jobs.mjs';
import { row } from './lib/goals.mjs';
import { startRedis } from './lib/processes.mjs';
import { scaled } from './lib/sizes.mjs';
import { median, printTable } from './lib/table.mjs';

const JOBS = scaled(1_000_000);
const OWNER_EVERY = 1000;
const OWNER = 'user:ada';
const PEER_CHUNK = 1000;
const BEGIN = 1_790_000_000_000;
const keyspace = createKeyspace('bench');

const idOf = (i) => `work.${i.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
const isHers = (i) => i % OWNER_EVERY === 0;
/** The caller's jobs alternate between two tags, and every tenth has a rare one. The other jobs have 10,000 owners. */
function settingsOf(i) {
  const nth = i / OWNER_EVERY;
  return isHers(i)
    ? { owner: OWNER, tags: [nth % 2 ? 'odd' : 'even', ...(nth % 10 ? [] : ['rare'])] }
    : { owner: `user:${i % 10_000}`, tags: ['load'] };
}

const addJobs = (redis) =>
  inGroups(0, JOBS, (i) =>
    writeFinishedJob(redis, keyspace.queueKey('work', ''), idOf(i), BEGIN + i, settingsOf(i)),
  );

async function timed(work, rounds) {
  const times = [];
  let result;
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    result = await work();
    times.push(performance.now() - start);
  }
  return { ms: median(times), result };
}

/** Reads one page with BullMQ: the newest jobs first, from the client's position. */
async function peerPage(queue, start, limit, fits) {
  const ids = [];
  for (let from = start; from < JOBS && ids.length < limit; from += PEER_CHUNK) {
    for (const job of await queue.getJobs(['completed'], from, from + PEER_CHUNK - 1, false)) {
      if (ids.length < limit && fits(job.opts.headway)) ids.push(job.id);
    }
  }
  return ids;
}

export async function list() {
  console.log(`\nlist: ${JOBS} finished jobs, ${JOBS / OWNER_EVERY} of them one caller's; ms per page`);
  const server = await startRedis();
  const redis = connectRedis(server.url, 'patient', { scripts: { ...sharedScripts, ...apiScripts } });
  const keep = createRetentionTimes({ KEEP_JOBS_MS: 1e12, GONE_JOBS_MS: 0 });
  const options = { redis, keyspace, keep };
  const trackJob = createTracker(options);
  const publisher = createPublisher({ ...options, logLength: 10, ttlMs: 1000, sharded: true });
  const reconciler = createReconciler({ ...options, publisher, readJob: trackJob });
  const listJobs = createJobList({
    ...options,
    trackJob,
    reconciler,
    readPage: createPageReader(redis, keyspace),
    faults: createJobFaults(console),
  });
  const queue = new Queue('work', { connection: redis, prefix: keyspace.queuePrefix });

  const empty = await server.usedMemory();
  await addJobs(redis);
  const withJobs = await server.usedMemory();
  await inGroups(0, JOBS, (i) => trackJob(idOf(i)));
  const withIndex = await server.usedMemory();

  // The deep page begins before the last hundred of the caller's jobs, newest first.
  const deep = JOBS / OWNER_EVERY - 100;
  const deepCursor = Buffer.from(`${BEGIN + (JOBS - deep * OWNER_EVERY)} ${idOf(JOBS - deep * OWNER_EVERY)}`);
  const isOwner = ({ owner }) => owner === OWNER;
  const pages = [
    ['first page of 50', { limit: '50' }, 0, 50, isOwner],
    [
      `deep page of 50, after ${deep}`,
      { limit: '50', cursor: deepCursor.toString('base64url') },
      deep * OWNER_EVERY,
      50,
      isOwner,
    ],
    [
      'page of 10, by state and a rare tag',
      { limit: '10', state: 'completed', tag: 'rare' },
      0,
      10,
      (settings) => isOwner(settings) && settings.tags.includes('rare'),
    ],
  ];
  const rows = [];
  for (const [name, query, start, limit, fits] of pages) {
    const parsed = await parseListQuery(query);
    const ours = await timed(() => listJobs(parsed, OWNER), 25);
    const peer = await timed(() => peerPage(queue, start, limit, fits), 1);
    const shown = ours.result.jobs.map(({ id }) => id);
    if (shown.length !== limit || shown.join() !== peer.result.join()) {
      throw new Error(`${name}: the index and BullMQ return different jobs`);
    }
    rows.push({ name, ours: ours.ms, peer: peer.ms });
  }
  const all = await timed(async () => listJobs(await parseListQuery({ limit: '50' }), undefined), 25);
  redis.disconnect();
  await server.stop();

  printTable([
    ['', 'getJobs + filter', 'Headway', '× peer'],
    ...rows.map(({ name, ours, peer }) => [name, peer.toFixed(0), ours.toFixed(1), (ours / peer).toFixed(4)]),
    ["first page of 50, an admin's", '', all.ms.toFixed(1), ''],
  ]);
  const [perJob, perEntry] = [(withJobs - empty) / JOBS, (withIndex - withJobs) / JOBS];
  console.log(
    `memory of Redis: ${perJob.toFixed(0)} bytes a job in BullMQ, ${perEntry.toFixed(0)} more in the index`,
  );
  return [
    ...rows.map(({ name, ours, peer }) =>
      row(`a million jobs, ${name}`, { unit: 'ms', peer, headway: ours, atMost: 0.02 }),
    ),
    row('a million jobs, index beside BullMQ', {
      unit: 'bytes/job',
      peer: perJob,
      headway: perEntry,
      atMost: 1,
    }),
  ];
}
