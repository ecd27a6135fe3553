import { type Finding, ok, problem, warning } from './finding.js';

/** What runs here: Node and Headway. @param engines of package.json */
export function checkHere(headway: string, engines: string, node = process.versions.node): Finding[] {
  const needed = engines.replace(/^>=/, '');
  return [
    ok('headway', headway),
    isAtLeast(node, needed)
      ? ok('node', node)
      : problem('node', node, `Install Node ${needed} or newer: https://nodejs.org`),
  ];
}

/**
 * Whether this command line and the service fit: the first number of their versions has to be the same, and before 1.0
 * the second too (Semantic Versioning 2.0.0, section 4).
 * @param service as `/healthz` says; nothing where it is older than that
 */
export function checkRelease(own: string, service: unknown): Finding {
  const check = 'api version';
  if (typeof service !== 'string') {
    return warning(check, 'not told', `It is older than this command line (${own}), or something else.`);
  }
  if (significant(own) === significant(service)) return ok(check, service);
  const advice =
    'Use the command line of the service: npx headway in its folder, or the package of its version.';
  return warning(check, `${service}, and this command line is ${own}`, advice);
}

const significant = (version: string): string => /^0\.\d+|^\d+/.exec(version)?.[0] ?? version;

/** Whether a version is another one or newer. */
export function isAtLeast(version: string, needed: string): boolean {
  const [a, b] = [version, needed].map((text) => text.split('.').map(Number));
  for (let i = 0; i < b!.length; i++) {
    const difference = (a![i] ?? 0) - b![i]!;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
