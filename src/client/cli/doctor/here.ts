import { type Finding, ok, problem } from './finding.js';

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

/** Whether a version is another one or newer. */
export function isAtLeast(version: string, needed: string): boolean {
  const [a, b] = [version, needed].map((text) => text.split('.').map(Number));
  for (let i = 0; i < b!.length; i++) {
    const difference = (a![i] ?? 0) - b![i]!;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
