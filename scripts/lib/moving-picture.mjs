// The animation in the README: a file is dropped on the page, its import starts, the bar moves, the result appears.
import sharp from 'sharp';

const SIZE = { width: 760, height: 620 };
const ROWS = 250_000;
/** Frames per second of the animation. */
const RATE = 10;
/** How long the last frame is shown, in ms. */
const LAST_MS = 2500;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Records the changes of a page. @returns a function that stops and returns the frames with their times in ms */
async function record(page) {
  const session = await page.context().newCDPSession(page);
  const frames = [];
  session.on('Page.screencastFrame', ({ data, metadata, sessionId }) => {
    frames.push({ at: metadata.timestamp * 1000, picture: Buffer.from(data, 'base64') });
    session.send('Page.screencastFrameAck', { sessionId }).catch(() => {});
  });
  await session.send('Page.startScreencast', { format: 'png' });
  return async () => {
    await session.send('Page.stopScreencast');
    return frames;
  };
}

/** Drags a file over the page. This script draws its icon; the browser sends the events. */
async function dropFile(page, rows) {
  await page.evaluate(
    async ({ rows, width, height }) => {
      const lines = Array.from({ length: rows }, (_, i) => `${i},person ${i},${i % 90}`);
      const transfer = new DataTransfer();
      transfer.items.add(
        new File([`id,name,age\n${lines.join('\n')}\n`], 'people.csv', { type: 'text/csv' }),
      );
      const icon = Object.assign(document.createElement('div'), { textContent: 'people.csv' });
      icon.style.cssText =
        'position:fixed;z-index:99;padding:6px 12px;border-radius:8px;font:15px system-ui;background:#fff;color:#222;box-shadow:0 2px 10px #0006';
      document.body.append(icon);
      const [from, to] = [
        [width - 140, height - 50],
        [width * 0.45, height * 0.45],
      ];
      for (let step = 0; step <= 24; step++) {
        const share = step / 24;
        const [x, y] = [0, 1].map((axis) => from[axis] + (to[axis] - from[axis]) * share ** 0.7);
        Object.assign(icon.style, { left: `${x}px`, top: `${y}px` });
        const target = document.elementFromPoint(x - 5, y - 5) ?? document.body;
        const event = { bubbles: true, cancelable: true, dataTransfer: transfer, clientX: x, clientY: y };
        target.dispatchEvent(new DragEvent('dragover', event));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      icon.remove();
      document.body.dispatchEvent(
        new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: transfer }),
      );
    },
    { rows, ...SIZE },
  );
}

/** Returns frames at a constant rate: at each moment, the newest frame so far. Consecutive equal frames are merged. */
function sample(frames) {
  const out = [];
  const [first, last] = [frames[0].at, frames.at(-1).at];
  for (let at = first, i = 0; at <= last; at += 1000 / RATE) {
    while (i + 1 < frames.length && frames[i + 1].at <= at) i++;
    const { picture } = frames[i];
    if (out.at(-1)?.picture === picture) out.at(-1).ms += 1000 / RATE;
    else out.push({ picture, ms: 1000 / RATE });
  }
  if (out.at(-1).picture !== frames.at(-1).picture) out.push({ picture: frames.at(-1).picture, ms: 0 });
  out.at(-1).ms = LAST_MS;
  return out;
}

/** @param url of the service; @param file of the picture, an animated WebP */
export async function takeMovingPicture({ browser, url, file }) {
  const context = await browser.newContext({ viewport: SIZE, colorScheme: 'light' });
  const page = await context.newPage();
  await page.goto(url);
  await page.getByRole('radio').first().waitFor();
  await pause(500);
  const stop = await record(page);
  await pause(600);
  await dropFile(page, ROWS);
  await pause(900);
  await page.locator('form button[type=submit]').click();
  const panel = page.getByRole('article').first();
  await panel.waitFor();
  await panel.evaluate((element) => element.scrollIntoView({ block: 'center', behavior: 'smooth' }));
  // The links to the job's files appear when it has ended.
  await panel.getByRole('link').first().waitFor({ timeout: 120_000 });
  await panel.evaluate((element) => element.scrollIntoView({ block: 'center', behavior: 'smooth' }));
  await pause(1200);
  const frames = sample(await stop());
  await context.close();
  await sharp(
    frames.map(({ picture }) => picture),
    { join: { animated: true } },
  )
    .webp({ quality: 70, effort: 5, loop: 0, delay: frames.map(({ ms }) => Math.round(ms)) })
    .toFile(file);
}
