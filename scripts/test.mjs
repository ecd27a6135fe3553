// npm test: installs what is missing, builds, and runs the checks and all tests. The last line of its output is
// "N passed, N failed"; each check counts as one. Arguments go to vitest: npm test -- test/faults
// npm run test:<kind>: only the tests of one kind (--mode=<kind>), without the checks. Unit tests need no build and no Redis.
// npm run test:deploy installs the programs that the files in deploy/ are for, and runs the slow tests with them too.
// npm run test:recipes does the same for the frameworks and languages of the recipes in docs/.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuild } from './lib/build.mjs';
import { capture, run } from './lib/command.mjs';
import { checkNode, ensurePackages } from './lib/packages.mjs';
import { ensureRecipes } from './lib/recipes.mjs';
import { say, tell } from './lib/say.mjs';
import {
  ensureCelery,
  ensureChromium,
  ensureCurl,
  ensureDeployPrograms,
  ensureHeadlessShell,
  ensureRedisServer,
  missingDeployPrograms,
} from './lib/system.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const CHECKS = ['typecheck', 'lint', 'imports', 'licences', 'audit'];
const mode = process.argv.find((arg) => arg.startsWith('--mode='))?.slice('--mode='.length);
const needs = (...kinds) => mode === undefined || kinds.includes(mode);

await tell(async () => {
  checkNode();
  await ensurePackages(root);
  const env = { ...process.env };
  if (needs('integration', 'browser', 'faults', 'deploy', 'recipes'))
    env.REDIS_SERVER = await ensureRedisServer();
  if (needs('integration')) await ensureCurl();
  if (needs('browser', 'recipes')) {
    env.CHROMIUM_PATH = await ensureChromium();
    env.HEADLESS_SHELL_PATH = await ensureHeadlessShell();
  }
  if (needs('integration', 'browser') && !(await ensureCelery())) env.WITHOUT_CELERY = '1';
  if (mode === 'deploy') {
    await ensureDeployPrograms();
    env.TEST_DEPLOY = '1';
  }
  if (mode === 'recipes') env.RECIPES = await ensureRecipes(root);
  if (needs('deploy')) tellMissingPrograms(mode);
  const count = { passed: 0, failed: 0 };
  // The checks need no build. They use what build and tests leave of the processor.
  const checks = mode === undefined ? runChecks() : undefined;
  if (mode !== 'unit') await ensureBuild(root);
  say('\ntests');
  await runTests(env, count);
  for (const { check, code, output } of (await checks) ?? []) {
    say(`\n${check}\n${output.trimEnd()}`);
    count[code === 0 ? 'passed' : 'failed']++;
  }
  console.log(`\n${count.passed} passed, ${count.failed} failed`);
  process.exit(count.failed === 0 ? 0 : 1);
});

/** Says which programs are missing whose tests are skipped, and why others are not run. */
function tellMissingPrograms(mode) {
  const missing = missingDeployPrograms();
  if (missing.length > 0) {
    say(`Skipped: the tests of deploy/ that need ${missing.join(', ')}. npm run test:deploy installs them.`);
  }
  if (mode === undefined) {
    say('Skipped: the image and the Helm chart are built by npm run test:deploy only, which takes minutes.');
    say(
      'Skipped: recipes for other frameworks and languages are run by npm run test:recipes, which installs them.',
    );
  }
}

/**
 * Runs the checks one after the other, at a low priority. Resolves to the exit code and the output of each. They are scripts
 * of package.json, run without `npm run`, which itself takes a third of a second of CPU each time.
 */
async function runChecks() {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const PATH = [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter);
  const results = [];
  for (const check of CHECKS) {
    const options = { cwd: root, env: { ...process.env, PATH } };
    const result = await capture('nice', ['-n', '19', 'sh', '-c', scripts[check]], options);
    results.push({ check, ...result });
  }
  return results;
}

/** Runs vitest and adds what it counted; a run that was cut short counts as a failure. */
async function runTests(env, count) {
  const folder = mkdtempSync(join(tmpdir(), 'headway-report-'));
  const report = join(folder, 'report.json');
  const code = await run(
    process.execPath,
    [
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...process.argv.slice(2),
    ],
    { cwd: root, env },
  );
  let failed = 0;
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
    count.passed += numPassedTests;
    failed = numFailedTests;
  } catch {
    // no report: vitest itself could not run
  }
  rmSync(folder, { recursive: true });
  // A file that cannot be loaded, or an error outside of any test, has no test to count.
  count.failed += code === 0 ? failed : Math.max(failed, 1);
}
