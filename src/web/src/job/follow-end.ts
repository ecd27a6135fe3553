import { nextTick, useTemplateRef, watch } from 'vue';

/**
 * Keeps a growing box scrolled to its end, unless the reader has scrolled up.
 * @param ref the name of the element in the template
 */
export function useFollowedBox(ref: string, content: () => unknown): void {
  const box = useTemplateRef<HTMLElement>(ref);
  watch(content, async () => {
    const element = box.value;
    if (!element) return;
    // A reader who has scrolled up keeps the position.
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
    await nextTick();
    if (atEnd) element.scrollTop = element.scrollHeight;
  });
}
