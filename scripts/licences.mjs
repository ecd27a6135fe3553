// npm run licences: fails if a package of the lock file has a licence that is unknown or not on the list.
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { licenceProblems } from './lib/licences.mjs';

const problems = licenceProblems(dirname(dirname(fileURLToPath(import.meta.url))));
for (const problem of problems) console.error(`error: ${problem}`);
if (problems.length > 0) {
  console.error('Decide about each of them in scripts/lib/licences.mjs, or use another package.');
  process.exit(1);
}
console.log('All licences of packages are accepted.');
