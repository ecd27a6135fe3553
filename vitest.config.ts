import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { TEST_KINDS, testFiles } from './scripts/lib/test-kinds.mjs';

/** Files that take 20 s or more, the longest first: one that begins last would have a worker, and a core, to itself. */
const LONG = [
  'deploy/many-machines',
  'api/http/uploading',
  'api/keeping',
  'client/faults',
  'browser/client',
  'browser/docs',
  'package/tarballs',
  'package/package',
  'browser/several-jobs',
  'cluster/suites',
  'worker/process',
  'faults/processes',
  'cluster/faults',
  'shared/channel/channel',
  'faults/upgrade',
  'browser/page',
  'faults/campaign',
  'api/dashboard/dashboard',
  'faults/shards',
  'worker/run/thread/thread',
  'package/paths',
  'package/tarballs',
  'worker/jobs/image-variants',
  'ecosystem/plain-worker',
  'scripts/start',
  'faults/worker',
  'browser/dashboard',
  'faults/reports',
  'browser/states',
  'faults/uncaught',
  'scripts/stop',
  'api/pipelined',
  'faults/sentinel',
  'promises',
  'api/schedules',
  'api/files-in-bucket',
  'worker/children',
  'api/webhooks',
  'faults/list',
  'faults/attempt-begin',
  'api/jobs/page',
  'faults/disk',
  'faults/redis',
  'faults/half-open',
  'browser/away',
  'api/shards',
  'faults/rolling-restart',
  'api/overview',
  'faults/alerts',
  'faults/frozen',
  'api/limits/callers',
  'examples/frameworks',
  'api/held-files',
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
