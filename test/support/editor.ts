import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** What an editor with TypeScript shows about the files of a folder. */
export interface Editor {
  /**
   * Returns what is shown for a name: its type, and its documentation.
   * @param text code of the file that contains the name; its first occurrence counts
   */
  quickInfo(file: string, text: string, name: string): { type: string; documentation: string };
  /** Returns what is offered at the end of a text. */
  completions(file: string, text: string): string[];
}

/** Opens a folder with the language service that editors use. @param mains the files that import the others */
export function openEditor(folder: string, ...mains: string[]): Editor {
  const service = ts.createLanguageService({
    getCompilationSettings: () => ({
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      strict: true,
      skipLibCheck: true,
      types: [],
    }),
    getScriptFileNames: () => mains.map((file) => join(folder, file)),
    getScriptVersion: () => '1',
    getScriptSnapshot: (path) => ts.ScriptSnapshot.fromString(readFileSync(path, 'utf8')),
    getCurrentDirectory: () => folder,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    directoryExists: ts.sys.directoryExists,
    realpath: ts.sys.realpath!,
  });
  const indexOf = (file: string, text: string): number => {
    const index = readFileSync(join(folder, file), 'utf8').indexOf(text);
    if (index < 0) throw new Error(`${file} does not contain ${text}`);
    return index;
  };
  return {
    quickInfo(file, text, name) {
      const position = indexOf(file, text) + text.indexOf(name);
      const info = service.getQuickInfoAtPosition(join(folder, file), position);
      return {
        type: ts.displayPartsToString(info?.displayParts),
        documentation: ts.displayPartsToString(info?.documentation),
      };
    },
    completions(file, text) {
      const position = indexOf(file, text) + text.length;
      const offered = service.getCompletionsAtPosition(join(folder, file), position, {});
      return offered?.entries.map(({ name }) => name) ?? [];
    },
  };
}
