import { type Finding, ok, problem, warning } from './finding.js';

/** Checks the versions of Node and Headway on this machine. @param engines from package.json */
export function checkLocal(headway: string, engines: string, node = process.versions.node): Finding[] {
  const needed = engines.replace(/^>=/, '');
  return [
    ok('headway', headway),
    isAtLeast(node, needed)
      ? ok('node', node)
      : problem('node', node, `Install Node ${needed} or newer: https://nodejs.org`),
  ];
}

/**
 * Checks whether this command line and the service are compatible: the major versions must be equal, and before 1.0 the
 * minor versions too (Semantic Versioning 2.0.0, section 4).
 * @param service the version from `/healthz`; absent in older services
 */
export function checkRelease(own: string, service: unknown): Finding {
  const check = 'api version';
  if (typeof service !== 'string') {
    return warning(
      check,
      'unknown',
      `The service is older than this command line (${own}), or is not Headway.`,
    );
  }
  if (significant(own) === significant(service)) return ok(check, service);
  const advice =
    "Use the service's own command line: npx headway in the service's folder, or the package of the same version.";
  return warning(check, `${service}; this command line is ${own}`, advice);
}

const significant = (version: string): string => /^0\.\d+|^\d+/.exec(version)?.[0] ?? version;

/** Whether a version is equal to or newer than another one. */
export function isAtLeast(version: string, needed: string): boolean {
  const numbers = version.split('.').map(Number);
  for (const [i, minimum] of needed.split('.').map(Number).entries()) {
    const difference = (numbers[i] ?? 0) - minimum;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
