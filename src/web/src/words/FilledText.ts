import type { FunctionalComponent, VNodeChild } from 'vue';

/** Draws a message, with a slot for each placeholder: `<FilledText :text="words.a.b"><template #link>…`. */
export const FilledText: FunctionalComponent<{ text: string }> = ({ text }, { slots }): VNodeChild[] =>
  text
    .split(/\{(\w+)\}/)
    // The odd ones are the names of placeholders.
    .map((part, i) => (i % 2 === 0 ? part : slots[part]?.()));
FilledText.props = ['text'];
