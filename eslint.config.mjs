// Biome lints everything. Only this rule needs TypeScript's own types: Biome's `noFloatingPromises` overlooks overloaded
// methods and types that come from `lib.dom`, so it missed 12 of 28 promises here.
import tseslint from 'typescript-eslint';

/** What a job reports is sent in order and waited for at the end of its run, so a job need not await it. */
const reports = {
  from: 'file',
  path: 'src/shared/jobs/definition.ts',
  name: ['log', 'progress', 'partial', 'emit', 'stage'],
};

export default [
  {
    files: ['src/**/*.ts'],
    ignores: ['src/web/**'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: {
        project: ['tsconfig.build.json', 'src/client/tsconfig.json', 'src/client/cli/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: { '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [reports] }] },
  },
];
