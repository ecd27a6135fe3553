import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';

/** What every page is looked at in: colours, and the width of a desk and of a phone in px. */
export const SCREENS = [
  ['light', 1280],
  ['dark', 1280],
  ['light', 360],
  ['dark', 360],
] as const;

/** A page, and what its console complained of. */
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
 * Takes pictures of a page for people to look at, on a phone and on a desk, light and dark, into the folder that
 * `SCREENSHOTS` names; none without it.
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

/** What axe finds wrong with a page; and that it is wider than the window. */
export async function findingsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const findings: string[] = await page.evaluate(async () => {
    // biome-ignore lint/suspicious/noExplicitAny: what was loaded a line above
    const { violations } = await (globalThis as any).axe.run();
    return violations.map(
      ({ id, nodes }: { id: string; nodes: Array<{ html: string }> }) => `${id}: ${nodes[0]!.html}`,
    );
  });
  const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
  return Number(overflow) > 0 ? [...findings, `${overflow} px too wide`] : findings;
}
