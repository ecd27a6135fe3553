import { type Browser, chromium } from 'playwright-core';
import { findProgram } from '../../scripts/lib/command.mjs';

/** Chromium as `npm test` has installed it. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath:
      process.env.CHROMIUM_PATH ?? findProgram('chromium', 'chromium-browser', 'google-chrome') ?? 'chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-sync'],
  });
