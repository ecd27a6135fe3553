import { nextTick, ref, watch } from 'vue';

/** The element of a box that grows: it stays scrolled to its end, unless the reader has scrolled up. */
export function useFollowedBox(content: () => unknown) {
  const box = ref<HTMLElement>();
  watch(content, async () => {
    const element = box.value;
    if (!element) return;
    // Whoever has scrolled up is reading: leave the place to them.
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 40;
    await nextTick();
    if (atEnd) element.scrollTop = element.scrollHeight;
  });
  return box;
}
