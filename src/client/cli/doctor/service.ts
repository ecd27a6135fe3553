import { ProblemError } from '../../errors.js';
import { type Kind, readKinds } from '../kinds.js';
import { about } from '../package.js';
import { explain } from '../problem.js';
import type { Session } from '../session.js';
import { span } from '../terminal/units.js';
import { differs } from './clock.js';
import { type Finding, ok, problem, warning } from './finding.js';
import { checkRelease } from './here.js';

const SLOW_MS = 500;

/** What the API is like. @returns also the kinds of job that it has, when it answers */
export async function checkService(session: Session): Promise<{ findings: Finding[]; kinds?: Kind[] }> {
  const { ask, url } = session;
  const findings: Finding[] = [];
  try {
    // The first call also opens the connection.
    await ask('healthz');
    const begun = performance.now();
    const askedAt = Date.now();
    const answer = await ask('healthz');
    const took = performance.now() - begun;
    findings.push(
      took > SLOW_MS
        ? warning(
            'api',
            `${url} answers in ${span(took)}`,
            'Look at the load of its machine, and at the way there.',
          )
        : ok('api', `${url} answers in ${span(took)}`),
    );
    const date = Date.parse(answer.headers.get('date') ?? '');
    // The header has whole seconds.
    if (!Number.isNaN(date)) findings.push(differs('api clock', date + 500 - (askedAt + took / 2), 500));
    const { version } = await answer.json().catch(() => ({}));
    findings.push(checkRelease(about().version, version));
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    findings.push(
      problem('api', explain(error)!, `Start it (npm start), or say where it is: --url or HEADWAY_URL.`),
    );
    return { findings };
  }
  findings.push(await isReady(session), await isTokenGood(session));
  try {
    const kinds = await readKinds(session);
    findings.push(ok('jobs', kinds.map(({ name }) => name).join(', ')));
    return { findings, kinds };
  } catch (error) {
    findings.push(problem('jobs', explain(error) ?? String(error), 'Is that address the one of Headway?'));
    return { findings };
  }
}

const isReady = ({ ask }: Session): Promise<Finding> =>
  ask('readyz').then(
    () => ok('api ready', 'it reaches Redis'),
    (error) =>
      problem(
        'api ready',
        explain(error) ?? String(error),
        'Look at its log: it cannot use its Redis, or is stopping.',
      ),
  );

const isTokenGood = ({ ask }: Session): Promise<Finding> =>
  ask('v1/jobs?limit=1').then(
    () => ok('token', 'who is calling may list jobs'),
    (error) => problem('token', explain(error) ?? String(error), 'Make one: headway token --sub NAME'),
  );
