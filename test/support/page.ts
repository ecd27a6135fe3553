import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';

/** The rules of axe that look at colours. */
export const COLOR_RULES = ['color-contrast', 'link-in-text-block'] as const;

/** The colour schemes and widths in px (desktop, phone) in which every page is checked. */
export const SCREENS = [
  ['light', 1280],
  ['dark', 1280],
  ['light', 360],
  ['dark', 360],
] as const;

/**
 * Changes the colour scheme and the width of a page to each of {@link SCREENS} in turn, and calls a function there. Then
 * restores them.
 * @param check gets the rules for {@link findingsOf}: those of colours if only the scheme differs from the last screen
 */
export async function onEachScreen(
  page: Page,
  check: (screen: string, rules: readonly string[] | undefined) => Promise<void>,
  screens: ReadonlyArray<readonly ['light' | 'dark', number]> = SCREENS,
): Promise<void> {
  const size = page.viewportSize();
  let last = 0;
  for (const [colorScheme, width] of screens) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 800 });
    await check(`${colorScheme} at ${width} px`, width === last ? COLOR_RULES : undefined);
    last = width;
  }
  await page.emulateMedia({ colorScheme: null });
  if (size) await page.setViewportSize(size);
}

/** Opens a page, and collects the errors and warnings of its console. */
export async function openPage(
  browser: Browser,
  url: string,
  { colorScheme = 'light' as 'light' | 'dark' } = {},
): Promise<{ page: Page; complaints: string[] }> {
  const page = await browser.newPage({ colorScheme });
  page.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  await page.goto(url);
  return { page, complaints };
}

/**
 * Leaves the page of a service, and makes its next visitor a new one, without cookies and settings. A page that is used again
 * costs a quarter less CPU than one in a new context. The address of this origin keeps the process of the page.
 */
export async function forgetVisitor(page: Page, origin: string): Promise<void> {
  await page.goto(`${origin}/healthz`);
  await page.evaluate('localStorage.clear()');
  await page.context().clearCookies();
}

/**
 * Saves screenshots of a page, phone and desktop, light and dark, in the folder that `SCREENSHOTS` names. Does nothing
 * if it is unset.
 */
export async function takePictures(page: Page, name: string): Promise<void> {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [device, width, height] of [
      ['phone', 360, 740],
      ['desk', 1100, 700],
    ] as const) {
      await page.setViewportSize({ width, height });
      await page.screenshot({ path: `${folder}/${name}-${device}-${colorScheme}.png` });
    }
  }
}

/**
 * Returns the accessibility problems that axe finds in a page, and whether the page is wider than the window.
 * @param impacts the impacts of the problems to return. Defaults to all
 * @param rules the rules to check: {@link COLOR_RULES} if nothing but colours has changed since the last call. Defaults
 *   to all that axe enables
 */
export async function findingsOf(
  page: Page,
  { impacts, rules }: { impacts?: axe.ImpactValue[]; rules?: readonly string[] | undefined } = {},
): Promise<string[]> {
  if (!(await page.evaluate('globalThis.axe'))) await page.evaluate(axe.source);
  const violations = await page.evaluate(async (names) => {
    const { run } = (globalThis as unknown as { axe: typeof axe }).axe;
    const found = await run({
      resultTypes: ['violations'],
      // Loads style sheets and media again, for rules on orientation locks (not enabled) and sounds (no page has any).
      preload: false,
      ...(names ? { runOnly: [...names] } : {}),
    });
    return found.violations.map(({ id, impact, nodes }) => ({ impact, text: `${id}: ${nodes[0]?.html}` }));
  }, rules);
  const findings = violations.filter(({ impact }) => !impacts || (impact && impacts.includes(impact)));
  const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
  return [...findings.map(({ text }) => text), ...(overflow > 0 ? [`${overflow} px too wide`] : [])];
}
