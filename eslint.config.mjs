// Biome lints everything. Only this rule needs TypeScript's own types: Biome's `noFloatingPromises` overlooks overloaded
// methods and types that come from `lib.dom`, so it missed 12 of 28 promises here.
import tseslint from 'typescript-eslint';

/** A job's reports are sent in order, and the end of its run waits for them. A job therefore need not await them. */
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
