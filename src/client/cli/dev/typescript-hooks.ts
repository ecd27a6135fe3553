import { readFile } from 'node:fs/promises';
import type { LoadHook } from 'node:module';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as TypeScript from 'typescript';

let compiler: typeof TypeScript | undefined;

/** Loads TypeScript files as modules, without their types. */
export const load: LoadHook = async (url, context, nextLoad) => {
  if (!/^file:.*\.m?ts$/.test(url)) return nextLoad(url, context);
  const path = fileURLToPath(url);
  compiler ??= loadCompiler();
  const { ModuleKind, ScriptTarget } = compiler;
  const { outputText } = compiler.transpileModule(await readFile(path, 'utf8'), {
    fileName: path,
    compilerOptions: {
      module: ModuleKind.ESNext,
      target: ScriptTarget.ES2022,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
  });
  return { format: 'module', source: outputText, shortCircuit: true };
};

/** Returns the project's own compiler. @throws Error if there is none with the functions that are used */
function loadCompiler(): typeof TypeScript {
  try {
    const found = createRequire(join(process.cwd(), 'package.json'))('typescript') as typeof TypeScript;
    if (typeof found.transpileModule === 'function') return found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
  }
  throw new Error(
    `Node ${process.versions.node} cannot run TypeScript itself. Use Node 22.18 or newer, or run: npm install --save-dev typescript@6`,
  );
}
