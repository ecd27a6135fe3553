// Measures a page in a real browser.
import { chromium } from 'playwright-core';
import { ensureChromium } from '../../scripts/lib/system.mjs';

/** Opens a page in a new browser. `received()` returns the bytes received so far. */
export async function openMeasuredPage(options) {
  const browser = await chromium.launch({
    executablePath: await ensureChromium(),
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const page = await browser.newPage(options);
  const cdp = await page.context().newCDPSession(page);
  let received = 0;
  await cdp.send('Network.enable');
  cdp.on('Network.dataReceived', ({ dataLength }) => {
    received += dataLength;
  });
  await cdp.send('Performance.enable');
  return { page, cdp, received: () => received, close: () => browser.close() };
}

/** Measures the frames drawn and the work of the main thread while `act` uses the page. */
export async function measure(page, cdp, ms, act) {
  const metrics = async () =>
    Object.fromEntries(
      (await cdp.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]),
    );
  const before = await metrics();
  const counting = page.evaluate(
    (ms) =>
      new Promise((resolve) => {
        const begin = performance.now();
        let frames = 0;
        let longest = 0;
        let last = begin;
        requestAnimationFrame(function frame(now) {
          frames++;
          longest = Math.max(longest, now - last);
          last = now;
          if (now - begin < ms) requestAnimationFrame(frame);
          else resolve({ perSecond: (frames * 1000) / (now - begin), longest });
        });
      }),
    ms,
  );
  await act();
  const frames = await counting;
  const after = await metrics();
  const share = (name) => (after[name] - before[name]) / (after.Timestamp - before.Timestamp);
  return {
    ...frames,
    main: share('TaskDuration'),
    script: share('ScriptDuration'),
    layout: share('LayoutDuration'),
  };
}

export const percent = (share) => `${(share * 100).toFixed(1)} %`;
