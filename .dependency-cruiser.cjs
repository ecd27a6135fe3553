/**
 * What each room imports of the rooms beside it. `(top)` is the files beside the rooms. No two rooms import each other.
 */
const ROOMS = {
  'src/shared': {
    '(top)': [],
    alerts: ['bullmq', 'dashboard', 'job-index', 'jobs', 'process', 'redis', 'webhooks'],
    auth: ['process', 'redis'],
    bullmq: ['channel', 'dashboard', 'jobs', 'redis'],
    channel: ['jobs', 'metrics', 'process', 'redis'],
    dashboard: ['channel', 'job-index', 'jobs', 'lifecycle', 'process', 'redis'],
    estimates: ['jobs'],
    files: ['metrics', 'process', 'redis'],
    format: ['process', 'redis'],
    'job-index': ['channel', 'files', 'jobs', 'lifecycle', 'process', 'redis'],
    jobs: ['auth', 'files', 'redis'],
    lifecycle: ['bullmq', 'channel', 'jobs', 'metrics', 'process', 'redis', 'tracing'],
    metrics: [],
    permissions: ['redis'],
    process: ['jobs'],
    redis: ['metrics', 'process'],
    runtime: [
      'alerts',
      'bullmq',
      'channel',
      'dashboard',
      'files',
      'job-index',
      'jobs',
      'lifecycle',
      'metrics',
      'permissions',
      'process',
      'format',
      'redis',
      'schedules',
      'tracing',
      'webhooks',
    ],
    schedules: ['files', 'jobs', 'lifecycle', 'process', 'redis'],
    supervisor: ['metrics', 'process'],
    tracing: ['process'],
    webhooks: ['channel', 'jobs', 'lifecycle', 'redis', 'tracing'],
  },
  'src/worker': {
    '(top)': ['estimates', 'reporting', 'run', 'webhooks'],
    estimates: [],
    jobs: ['run'],
    reporting: [],
    run: ['estimates', 'reporting', 'webhooks'],
    webhooks: [],
  },
  'src/api': {
    '(top)': [
      'audit',
      'auth',
      'channels',
      'exchange',
      'http',
      'in-process',
      'jobs',
      'limits',
      'live',
      'openapi',
      'overview',
      'queue-positions',
      'routes',
      'stream',
      'tls',
    ],
    audit: [],
    auth: ['http', 'limits'],
    channels: ['auth', 'http', 'jobs', 'limits'],
    exchange: ['audit'],
    'in-process': ['auth', 'http', 'jobs', 'limits', 'stream'],
    http: ['audit', 'exchange', 'limits'],
    jobs: ['auth', 'http', 'limits', 'queue-positions'],
    limits: ['exchange'],
    live: ['auth', 'http', 'jobs', 'limits', 'stream'],
    openapi: ['auth', 'channels', 'jobs', 'limits', 'live', 'overview', 'schedules', 'stream'],
    overview: ['auth', 'jobs', 'live', 'stream'],
    'queue-positions': [],
    routes: [
      'audit',
      'auth',
      'channels',
      'exchange',
      'http',
      'jobs',
      'limits',
      'live',
      'openapi',
      'overview',
      'schedules',
      'stream',
    ],
    schedules: ['http', 'jobs', 'limits'],
    stream: ['auth', 'exchange', 'http', 'jobs', 'limits'],
    tls: ['http'],
  },
};

/** One rule for each room. Shared code may import the files beside its rooms: errors and the keyspace, which need nothing. */
function roomRules() {
  return Object.entries(ROOMS).flatMap(([base, rooms]) =>
    Object.entries(rooms).map(([room, imports]) => {
      const twoWay = imports.find((other) => rooms[other]?.includes(room));
      if (twoWay) throw new Error(`${base}: ${room} and ${twoWay} import each other`);
      const inRoom = (name) => (name === '(top)' ? `^${base}/[^/]+$` : `^${base}/${name}/`);
      const allowed = [room, ...imports, ...(base === 'src/shared' ? ['(top)'] : [])];
      return {
        name: `${base.replace('src/', '')}-${room.replace(/[()]/g, '')}`,
        severity: 'error',
        from: { path: inRoom(room) },
        to: { path: `^${base}/`, pathNot: allowed.map(inRoom) },
      };
    }),
  );
}

/** The direction of dependencies, as design and ARCHITECTURE.md give it. */
module.exports = {
  forbidden: [
    ...roomRules(),
    {
      name: 'every-room-has-a-rule',
      severity: 'error',
      from: {
        path: Object.keys(ROOMS).map((base) => `^${base}/`),
        pathNot: Object.entries(ROOMS).flatMap(([base, rooms]) => [
          `^${base}/[^/]+$`,
          ...Object.keys(rooms).map((room) => `^${base}/${room}/`),
        ]),
      },
      to: {},
    },
    {
      name: 'shared-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^src/shared/' },
      to: { path: '^src/(api|worker|client|web)/' },
    },
    {
      name: 'api-only-shared',
      severity: 'error',
      from: { path: '^src/api/' },
      to: { path: '^src/(worker|client|web)/' },
    },
    {
      name: 'worker-only-shared',
      severity: 'error',
      from: { path: '^src/worker/' },
      to: { path: '^src/(api|client|web)/' },
    },
    {
      name: 'client-only-shared',
      severity: 'error',
      from: { path: '^src/client/' },
      to: { path: '^src/(api|worker|web)/' },
    },
    {
      name: 'web-only-client-and-shared',
      severity: 'error',
      from: { path: '^src/web/' },
      to: { path: '^src/(api|worker)/' },
    },
    {
      name: 'opentelemetry-in-one-file',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/shared/tracing/open-telemetry\\.ts$' },
      to: { path: 'node_modules/@opentelemetry/' },
    },
    {
      name: 'opentelemetry-on-demand',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/shared/tracing/open-telemetry\\.ts$', dependencyTypesNot: ['dynamic-import'] },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
