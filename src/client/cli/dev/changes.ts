import { type FSWatcher, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** One change of a file is reported several times, and editors write several files at once. */
const QUIET_MS = 100;

/** Notices changes of files. */
export interface Changes {
  /** Adds a file. */
  add(path: string): void;
  close(): void;
}

/** @param onChange called with the path of a file that has changed, once if several have */
export function watchChanges(onChange: (path: string) => void): Changes {
  /** The time at which each file was changed last. */
  const files = new Map<string, number>();
  // Folders are watched, because editors replace a file by another one with the same name.
  const folders = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const changed = [...files].filter(([path, before]) => (changedAt(path) ?? before) !== before);
    for (const [path, before] of changed) files.set(path, changedAt(path) ?? before);
    if (changed[0]) onChange(changed[0][0]);
  };
  return {
    add(path) {
      const time = changedAt(path);
      if (files.has(path) || time === undefined) return;
      files.set(path, time);
      const folder = dirname(path);
      if (folders.has(folder)) return;
      const watcher = watch(folder, { persistent: false }, (_type, name) => {
        if (name === null || ![...files.keys()].some((file) => basename(file) === name)) return;
        clearTimeout(timer);
        timer = setTimeout(look, QUIET_MS);
      });
      // The folder was removed.
      watcher.on('error', () => watcher.close());
      folders.set(folder, watcher);
    },
    close() {
      clearTimeout(timer);
      for (const watcher of folders.values()) watcher.close();
    },
  };
}

const changedAt = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.mtimeMs;
