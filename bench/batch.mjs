// Many jobs in one call: jobs per second. The peer uses addBulk.
import { row } from './lib/goals.mjs';
import { startHeadway, startPlain } from './lib/installations.mjs';
import { inTurn, measurePosting, POSTING_COLUMNS, postingCells } from './lib/posting.mjs';
import { printTable } from './lib/table.mjs';
import { singleJobs } from './start.mjs';

const JOBS = 500;
const CONNECTIONS = 4;
const ROUNDS = 2;
/** Before calls were made faster, a single call had this share of the rate of the peer's, measured in one run. */
const SINGLE_BEFORE = 0.27;

const batches = ({ batchPath }) => ({
  path: batchPath,
  body: { jobs: Array(JOBS).fill({ name: 'tiny', data: {} }) },
  connections: CONNECTIONS,
  jobs: JOBS,
});

export async function batch() {
  console.log(
    `\nbatch: ${JOBS} jobs a call, ${CONNECTIONS} connections; µs CPU per job, mean of ${ROUNDS} rounds in turn`,
  );
  const [single] = await inTurn(1, [() => measurePosting(startPlain, singleJobs)]);
  const [peer, ours] = await inTurn(ROUNDS, [
    () => measurePosting(startPlain, batches),
    () => measurePosting(startHeadway, batches),
  ]);
  printTable([
    POSTING_COLUMNS,
    ...postingCells({ ...single, name: 'plain BullMQ, single calls' }),
    ...postingCells({ ...peer, name: 'plain BullMQ, addBulk' }),
    ...postingCells(ours),
  ]);
  return [
    row('jobs started by batches of 500, against addBulk, warm', {
      unit: 'jobs/s',
      peer: peer.warm.jobs,
      headway: ours.warm.jobs,
      atLeast: 0.7,
    }),
    row('the same, cold', { unit: 'jobs/s', peer: peer.cold.jobs, headway: ours.cold.jobs }),
    row("the same, against the peer's single calls, warm", {
      unit: 'jobs/s',
      peer: single.warm.jobs,
      headway: ours.warm.jobs,
      atLeast: 8 * SINGLE_BEFORE,
    }),
  ];
}
