/** The elements that can take over the focus in a part of the page: its first heading or control. */
const REFUGE = 'h1[tabindex], h2[tabindex], h3[tabindex], a[href], button, input, select, textarea';

/**
 * Preserves the position of keyboard users. When the focused element is removed (the button of a job that has ended, a
 * closed panel), the nearest remaining part of the page gets the focus. Without this, the focus moves to `body` and the
 * next Tab starts at the top of the page.
 * @returns a function that turns this off
 */
export function keepFocus(root: HTMLElement = document.body): () => void {
  /** The focused element and its ancestors, from the inside out. */
  let path: Element[] = [];
  const remember = ({ target }: FocusEvent): void => {
    path = [];
    for (let at = target as Element | null; at && at !== root; at = at.parentElement) path.push(at);
  };
  const observer = new MutationObserver(() => {
    const [focused] = path;
    if (!focused || focused.isConnected || document.activeElement !== document.body) return;
    const part = path.find(({ isConnected }) => isConnected) ?? root;
    path = [];
    (part.querySelector<HTMLElement>(REFUGE) ?? root.querySelector<HTMLElement>(REFUGE))?.focus({
      preventScroll: true,
    });
  });
  root.addEventListener('focusin', remember);
  observer.observe(root, { childList: true, subtree: true });
  return () => {
    root.removeEventListener('focusin', remember);
    observer.disconnect();
  };
}
