import { nextTick, useTemplateRef, watch } from 'vue';

/**
 * Keeps a box that grows scrolled to its end, unless the reader has scrolled up.
 * @param ref the name of the element in the template
 */
export function useFollowedBox(ref: string, content: () => unknown): void {
  const box = useTemplateRef<HTMLElement>(ref);
  watch(content, async () => {
    const element = box.value;
    if (!element) return;
    // Whoever has scrolled up is reading: leave the place to them.
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
    await nextTick();
    if (atEnd) element.scrollTop = element.scrollHeight;
  });
}
