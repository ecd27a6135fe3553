import { onScopeDispose, ref } from 'vue';

/** What was dropped: a file, or why there is none. */
export type Dropped = { file: File; note?: string } | { problem: string };

/** The file of a drop. */
export function droppedFile({ files, items }: Pick<DataTransfer, 'files' | 'items'>): Dropped {
  const [file] = files;
  if (!file) return { problem: 'There was no file in what you dropped.' };
  // Of a folder, a browser gives something like an empty file.
  if (items[0]?.webkitGetAsEntry?.()?.isDirectory)
    return { problem: `${file.name} is a folder. Drop a file, or a zip of the folder.` };
  return files.length > 1 ? { file, note: `The first of ${files.length} files was taken.` } : { file };
}

/** While a file is held over a page the browser says so several times a second; not all say when it is gone, in ms. */
const HELD_MS = 1000;

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

/**
 * Files can be dropped anywhere onto the page; so a file that misses its field does not replace the page.
 * @returns whether one is held over the page now
 */
export function useFileDrop(take: (dropped: Dropped) => void) {
  const over = ref(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  function hold(held: boolean): void {
    over.value = held;
    clearTimeout(timer);
    if (held) timer = setTimeout(() => hold(false), HELD_MS);
  }
  const listeners: Record<string, (event: DragEvent) => void> = {
    dragover(event) {
      if (!hasFiles(event)) return;
      event.preventDefault();
      hold(true);
    },
    dragleave(event) {
      // It has left the window, not just one element for another.
      if (!event.relatedTarget) hold(false);
    },
    drop(event) {
      hold(false);
      // A field for files has taken it already.
      if (event.defaultPrevented || !event.dataTransfer || !hasFiles(event)) return;
      event.preventDefault();
      take(droppedFile(event.dataTransfer));
    },
  };
  const on = Object.entries(listeners) as Array<[string, EventListener]>;
  for (const [name, listener] of on) addEventListener(name, listener);
  onScopeDispose(() => {
    clearTimeout(timer);
    for (const [name, listener] of on) removeEventListener(name, listener);
  });
  return over;
}
