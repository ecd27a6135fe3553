import { ProblemError } from '../../errors.js';
import { type Kind, readKinds } from '../kinds.js';
import { about } from '../package.js';
import { explain } from '../problem.js';
import type { Session } from '../session.js';
import { span } from '../terminal/units.js';
import { compareClock } from './clock.js';
import { type Finding, ok, problem, warning } from './finding.js';
import { checkRelease } from './local.js';

const SLOW_MS = 500;

/** Checks the API. @returns the findings, and the kinds of job if the API responded */
export async function checkService(session: Session): Promise<{ findings: Finding[]; kinds?: Kind[] }> {
  const { request, url } = session;
  const findings: Finding[] = [];
  try {
    // The first call also opens the connection.
    await request('healthz');
    const begun = performance.now();
    const askedAt = Date.now();
    const answer = await request('healthz');
    const took = performance.now() - begun;
    findings.push(
      took > SLOW_MS
        ? warning(
            'api',
            `${url} responded in ${span(took)}`,
            'Check the load of its machine, and the network.',
          )
        : ok('api', `${url} responded in ${span(took)}`),
    );
    const date = Date.parse(answer.headers.get('date') ?? '');
    // The header has a resolution of one second.
    if (!Number.isNaN(date)) findings.push(compareClock('api clock', date + 500 - (askedAt + took / 2), 500));
    const { version } = await answer.json().catch(() => ({}));
    findings.push(checkRelease(about().version, version));
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    findings.push(
      problem('api', explain(error) ?? error.message, 'Start it (npm start), or set --url or HEADWAY_URL.'),
    );
    return { findings };
  }
  findings.push(await isReady(session), await isTokenGood(session));
  try {
    const kinds = await readKinds(session);
    findings.push(ok('jobs', kinds.map(({ name }) => name).join(', ')));
    return { findings, kinds };
  } catch (error) {
    findings.push(problem('jobs', explain(error) ?? String(error), 'Check that the URL is that of Headway.'));
    return { findings };
  }
}

const isReady = ({ request }: Session): Promise<Finding> =>
  request('readyz').then(
    async (answer) => {
      const { files } = await answer.json().catch(() => ({}));
      return files === 'unavailable'
        ? problem(
            'api ready',
            'Redis is reachable, but the file storage is not',
            'Check FILES_URL and the storage: uploads, downloads and jobs with files fail.',
          )
        : ok('api ready', `Redis ${files ? 'and the file storage are' : 'is'} reachable`);
    },
    (error) =>
      problem(
        'api ready',
        explain(error) ?? String(error),
        'Check its log: it cannot use its Redis, or is stopping.',
      ),
  );

const isTokenGood = ({ request }: Session): Promise<Finding> =>
  request('v1/jobs?limit=1').then(
    () => ok('token', 'may list jobs'),
    (error) => problem('token', explain(error) ?? String(error), 'Create one: headway token --sub NAME'),
  );
