// Interprets Markdown as GitHub does, for the documentation site and its tests.

/** Returns the anchor that GitHub gives to a heading. @param text the heading without its `#` */
export function headingAnchor(text) {
  return text
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .trim()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-');
}

/** Returns the Markdown without fenced code blocks, whose content is neither a heading nor a link. */
export function withoutCodeBlocks(markdown) {
  return markdown.replace(/^( *)(`{3,})[\s\S]*?^\1\2 *$/gm, '');
}

/** Returns the anchors of a page: those of its headings; a repeated heading gets `-1`, `-2` and so on. */
export function anchorsOf(markdown) {
  const seen = new Map();
  return Array.from(withoutCodeBlocks(markdown).matchAll(/^#{1,6} +(.*)$/gm), ([, text]) => {
    const anchor = headingAnchor(text);
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}

/** Returns the destinations of the links and images of a page, as they are written. */
export function linksOf(markdown) {
  const text = withoutCodeBlocks(markdown).replace(/`[^`\n]*`/g, 'code');
  return Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, destination]) => destination);
}
