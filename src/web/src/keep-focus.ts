/** What takes the keyboard's place inside of a part of the page: its first heading or control. */
const REFUGE = 'h1[tabindex], h2[tabindex], h3[tabindex], a[href], button, input, select, textarea';

/**
 * Keeps the place of those who use the keyboard: when the element that has the focus goes away (the button of a job that
 * has ended, a panel that was closed), the nearest part of the page that is still there gets it. Without this it falls to
 * `body`, and the next Tab begins at the top of the page.
 * @returns stops that
 */
export function keepFocus(root: HTMLElement = document.body): () => void {
  /** The element that has the focus, and those around it from the inside out. */
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
