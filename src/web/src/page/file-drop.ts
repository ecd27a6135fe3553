import { onScopeDispose, ref } from 'vue';
import { fill, words } from '../words';

/** What was dropped: a file, or the reason why there is no file. */
export type Dropped = { file: File; note?: string } | { problem: string };

/** Returns the dropped file. */
export function droppedFile({ files, items }: Pick<DataTransfer, 'files' | 'items'>): Dropped {
  const [file] = files;
  if (!file) return { problem: words.page.noFile };
  // For a folder, browsers provide something like an empty file.
  if (items[0]?.webkitGetAsEntry?.()?.isDirectory)
    return { problem: fill(words.page.isFolder, { name: file.name }) };
  return files.length > 1 ? { file, note: fill(words.page.firstFile, { count: files.length }) } : { file };
}

/** The longest time between two `dragover` events, in ms. Not all browsers report when the file leaves the page. */
const HELD_MS = 1000;

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

/**
 * Accepts files dropped anywhere on the page, so that a file that misses its field does not replace the page.
 * @returns whether a file is being dragged over the page
 */
export function useFileDrop(take: (dropped: Dropped) => void) {
  const isDragging = ref(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  function hold(held: boolean): void {
    isDragging.value = held;
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
      // Without a related target, the file has left the window, not just an element.
      if (!event.relatedTarget) hold(false);
    },
    drop(event) {
      hold(false);
      // A file field has already handled it.
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
  return isDragging;
}
