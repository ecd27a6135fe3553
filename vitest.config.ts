import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { TEST_KINDS, testFiles } from './scripts/lib/test-kinds.mjs';

/** Files that take 10 s or more, the longest first: one that begins last would have a worker, and a core, to itself. */
const LONG = [
  'deploy/many-machines',
  'browser/client',
  'cluster/suites',
  'package/tarballs',
  'shared/channel/channel',
  'browser/several-jobs',
  'cluster/faults',
  'faults/processes',
  'package/package',
  'client/faults',
  'api/keeping',
  'faults/upgrade',
  'package/paths',
  'browser/dashboard',
  'faults/shards',
  'browser/page',
  'api/http/uploading',
  'browser/docs',
  'worker/process',
  'faults/campaign',
  'api/dashboard/dashboard',
  'browser/states',
  'faults/reports',
  'faults/uncaught',
  'scripts/stop',
  'ecosystem/plain-worker',
  'faults/worker',
  'faults/sentinel',
  'worker/run/thread/thread',
  'api/pipelined',
  'api/files-in-bucket',
  'api/schedules',
  'faults/disk',
  'faults/clocks',
  'faults/redis',
  'scripts/start',
  'worker/jobs/image-variants',
  'faults/half-open',
  'faults/rolling-restart',
  'faults/alerts',
  'api/held-files',
  'faults/attempt-begin',
  'faults/list',
  'promises',
  'worker/children',
  'faults/frozen',
  'faults/stopping',
  'browser/away',
  'client/proxies',
  'api/cancel',
  'api/webhooks',
  'examples/celery',
  'cluster/tls',
  'api/overview',
  'faults/webhooks',
  'client/cli/run',
  'shared/channel/pages',
  'faults/loading',
  'api/shards',
  'api/openapi/operations',
  'examples/frameworks',
  'faults/children',
  'faults/odd-jobs',
  'api/retry',
  'api/jobs/page',
  'shared/permissions/permissions',
  'api/auth/anonymous',
  'faults/stalled-viewers',
  'ecosystem/clients',
  'faults/schedules',
  'browser/base-path',
  'api/files',
  'shared/tracing/tracing',
  'api/pause',
  'api/auth/hook',
  'examples/cricket',
  'api/batch',
  'deploy/proxies',
  'api/no-worker',
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
