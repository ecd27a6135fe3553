// npm run audit: fails if a package that the service loads has a known vulnerability of level high or critical. A registry
// that does not answer is a warning only, because a machine without network must be able to run the tests.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { capture } from './lib/command.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const TIMEOUT_MS = 20_000;

const args = ['audit', '--json', '--omit=dev', '--fetch-retries=0', `--fetch-timeout=${TIMEOUT_MS}`];
const { output } = await capture('npm', [...args, ...process.argv.slice(2)], { cwd: root });
const report = parse(output);
const counts = report?.metadata?.vulnerabilities;
if (counts) {
  const grave = Object.values(report.vulnerabilities).filter(({ severity }) =>
    ['high', 'critical'].includes(severity),
  );
  for (const { name, severity, via, fixAvailable } of grave) {
    const titles = via.map((cause) => (typeof cause === 'string' ? `through ${cause}` : cause.title));
    const fix = fixAvailable ? 'an update fixes it' : 'there is no fix yet';
    console.error(`error: ${name}: ${severity}: ${titles.join('; ')} (${fix})`);
  }
  console.log(
    `npm audit: known vulnerabilities in the packages of the service: ${counts.total}, high or critical: ${grave.length}.`,
  );
  process.exit(grave.length > 0 ? 1 : 0);
}
const reason = report?.message ?? report?.error?.summary ?? output.trim().split('\n').at(-1);
console.warn(
  `warning: npm audit has not run: the registry did not answer (${reason || 'no output'}). Nothing is known about vulnerabilities.`,
);

/** npm prints its report on standard output, and warnings on standard error. Both are captured. */
function parse(text) {
  const begin = text.indexOf('{\n');
  const end = text.lastIndexOf('\n}');
  if (begin < 0 || end < 0) return undefined;
  try {
    return JSON.parse(text.slice(begin, end + 2));
  } catch {
    return undefined;
  }
}
