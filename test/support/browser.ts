import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import { findProgram } from '../../scripts/lib/command.mjs';
import { freePort } from './redis.js';

const chromiumPath = (): string =>
  process.env.CHROMIUM_PATH ?? findProgram('chromium', 'chromium-browser', 'google-chrome') ?? 'chromium';

/** The same browser without windows, tabs and prompts, at less than half the CPU; else Chromium itself. */
const headlessShellPath = (): string =>
  process.env.HEADLESS_SHELL_PATH ?? findProgram('chromium-headless-shell') ?? chromiumPath();

const launch = (executablePath: string, args: string[] = []): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync', ...args],
  });

/** A name that every test browser resolves to this machine, as an attacker's DNS server does. */
export const EVIL_NAME = 'evil.example';

let shared: Browser | undefined;

/**
 * Starts the browser that `npm test` has installed: Chromium's headless shell. The test files of a vitest worker run one
 * after the other and share it. It ends with the worker: `close` closes only the contexts of the file.
 */
export async function startBrowser(): Promise<Browser> {
  if (!shared?.isConnected())
    shared = await launch(headlessShellPath(), [`--host-resolver-rules=MAP ${EVIL_NAME} 127.0.0.1`]);
  const browser = shared;
  const close = async (): Promise<void> => {
    await Promise.all(browser.contexts().map((context) => context.close()));
  };
  // Moving bars would be painted sixty times a second. A test of the movement itself asks for it.
  const still = { reducedMotion: 'reduce' } as const;
  const changed: Partial<Browser> = {
    close,
    newContext: (options) => browser.newContext({ ...still, ...options }),
    newPage: (options) => browser.newPage({ ...still, ...options }),
  };
  return new Proxy(browser, {
    get(target, key) {
      if (key in changed) return changed[key as keyof Browser];
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/**
 * Starts Chromium with hidden background tabs and prompts for permissions, as users have them. By default, Playwright makes
 * every page visible and focused.
 */
export async function startBrowserWithTabs(): Promise<{ context: BrowserContext; stop(): Promise<void> }> {
  const port = await freePort();
  const process = await launch(chromiumPath(), [
    `--remote-debugging-port=${port}`,
    // As in the other browser: no bar is painted sixty times a second.
    '--force-prefers-reduced-motion',
    // Each window would load two pages for its address bar, at more than a second of CPU.
    '--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup,PreloadTopChromeWebUI',
  ]);
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
  return {
    context: browser.contexts()[0]!,
    async stop() {
      await browser.close();
      await process.close();
    },
  };
}
