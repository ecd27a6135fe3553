/** The direction of dependencies, as design and ARCHITECTURE.md give it. */
module.exports = {
  forbidden: [
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
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
