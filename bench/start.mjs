// POST of single jobs: requests per second, and the CPU time of each.
import { row } from './lib/goals.mjs';
import { startHeadway, startPlain } from './lib/installations.mjs';
import { inTurn, measurePosting, POSTING_COLUMNS, postingCells } from './lib/posting.mjs';
import { printTable } from './lib/table.mjs';

const CONNECTIONS = 32;
const ROUNDS = 2;

/** What `measurePosting` sends: one job a request. */
export const singleJobs = ({ jobsPath }) => ({
  path: jobsPath,
  body: { name: 'tiny', data: {} },
  connections: CONNECTIONS,
  jobs: 1,
});

export async function start() {
  console.log(
    `\nstart: one job a call, ${CONNECTIONS} connections; µs CPU per job, mean of ${ROUNDS} rounds in turn`,
  );
  const [peer, ours] = await inTurn(ROUNDS, [
    () => measurePosting(startPlain, singleJobs),
    () => measurePosting(startHeadway, singleJobs),
  ]);
  printTable([POSTING_COLUMNS, ...postingCells(peer), ...postingCells(ours)]);
  return [
    row('POST of a job, warm', {
      unit: 'requests/s',
      peer: peer.warm.requests,
      headway: ours.warm.requests,
      atLeast: 1,
    }),
    row('the same, cold', { unit: 'requests/s', peer: peer.cold.requests, headway: ours.cold.requests }),
    row('the API of it, warm', { unit: 'µs CPU', peer: peer.warm.api, headway: ours.warm.api }),
    row('the API of it, cold', { unit: 'µs CPU', peer: peer.cold.api, headway: ours.cold.api }),
  ];
}
