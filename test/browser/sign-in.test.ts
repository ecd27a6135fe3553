import { expect, it } from 'vitest';
import { startBrowser } from '../support/browser.js';
import { findingsOf, openPage, takePictures } from '../support/page.js';
import { startApi } from '../support/processes.js';
import { borrowHeadway } from '../support/shared-headway.js';

it('a caller who may not start jobs is asked to sign in, on every page', async () => {
  const [headway, browser] = await Promise.all([borrowHeadway(), startBrowser()]);
  const [watch, deny] = await Promise.all(
    ['watch', 'deny'].map((ANONYMOUS) => startApi({ ...headway.env, ANONYMOUS })),
  );
  const expected = [
    [watch!, '/', 'Without signing in, you can only watch jobs.'],
    [deny!, '/', 'This service is for signed-in users.'],
    [deny!, '/dashboard', 'Sign in to see the dashboard.'],
  ] as const;
  for (const [api, path, text] of expected) {
    const { page, complaints } = await openPage(browser, `${api.url}${path}`);
    await page.getByText(text).first().waitFor();
    await takePictures(page, `sign-in-${api === watch ? 'watch' : 'deny'}${path.replaceAll('/', '-')}`);
    if (path === '/') {
      expect(await page.getByRole('button', { name: 'Start the job' }).count()).toBe(0);
      expect(await page.getByRole('alert').count()).toBe(0);
      const link = page.getByRole('link', { name: 'sign in as admin' });
      expect(await link.getAttribute('href')).toBe('/dashboard/sign-in');
    }
    expect(await findingsOf(page)).toEqual([]);
    // The browser itself reports the responses with status 401.
    expect(complaints.filter((line) => !line.includes('status of 401'))).toEqual([]);
    await page.close();
  }
  await Promise.all([watch!.stop(), deny!.stop(), browser.close()]);
  await headway.stop();
});
