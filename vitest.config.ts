import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { TEST_KINDS, testFiles } from './scripts/lib/test-kinds.mjs';

/** Files that take about half a minute or more, the longest first: one that begins last would have a worker, and a core, to itself. */
const LONG = [
  'deploy/many-machines',
  'cluster/suites',
  'cluster/faults',
  'shared/channel/channel',
  'api/http/uploading',
  'browser/several-jobs',
  'client/faults',
  'api/keeping',
  'faults/rolling-restart',
  'faults/upgrade',
  'faults/sentinel',
  'browser/client',
  'package/package',
  'browser/page',
  'faults/reports',
  'worker/process',
  'browser/docs',
  'api/dashboard/dashboard',
  'faults/attempt-begin',
  'scripts/start',
  'worker/run/thread/thread',
  'faults/campaign',
  'faults/processes',
  'faults/worker',
  'api/overview',
  'package/paths',
  'client/cli/commands',
  'api/pipelined',
  'browser/dashboard',
  'faults/redis',
  'faults/children',
  'faults/alerts',
  'faults/disk',
  'faults/thread',
  'faults/stopping',
  'deploy/proxies',
  'deploy/backup',
  'scripts/stop',
  'api/schedules',
  'faults/half-open',
  'faults/list',
  'promises',
  'faults/uncaught',
  'api/auth/anonymous',
  'shared/tracing/tracing',
  'api/limits/open',
  'browser/states',
];

class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = LONG.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return index < 0 ? LONG.length : index;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

// `vitest run --mode unit` runs one kind of tests, `vitest run` all of them.
export default defineConfig(({ mode }) => ({
  test: {
    include: TEST_KINDS.includes(mode) ? testFiles(mode) : ['test/**/*.test.ts'],
    environment: 'node',
    setupFiles: [
      'test/support/unknown-clock.ts',
      ...(mode === 'unit' ? ['test/support/refuse-processes.ts'] : []),
    ],
    pool: 'forks',
    // The files of a worker share its modules: loading them costs half a second of CPU for each file.
    isolate: false,
    // More than there are cores, because most tests wait for another process most of the time.
    maxWorkers: mode === 'unit' ? 2 : 5,
    sequence: { sequencer: LongFilesFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
}));
