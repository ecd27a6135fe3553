import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackendPages, expectContinued, startBackendPages, watchBar } from '../support/backend-page.js';
import { block } from '../support/documentation.js';
import { runToEnd } from '../support/example.js';
import { temporaryFolder } from '../support/folder.js';

const PYTHON = '/usr/bin/python3';

describe.skipIf(!process.env.RECIPES)('getting started with Django', () => {
  let pages: BackendPages;
  const folder = temporaryFolder();
  const SERVER = `cd ${folder} && exec ${PYTHON} manage.py runserver --noreload 127.0.0.1:{port}`;
  const write = (path: string, content: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  /** Writes a project with the code of the page. */
  async function createProject(): Promise<void> {
    await runToEnd(`cd ${folder} && ${PYTHON} -m django startproject shop .`, {});
    const settings = block('django-settings').replace('http://127.0.0.1:3000', pages.headway.api.url);
    const generated = readFileSync(join(folder, 'shop/settings.py'), 'utf8');
    write(
      'shop/settings.py',
      `${generated}\n${settings}
import os
TEMPLATES[0]['DIRS'] = [BASE_DIR / folder for folder in os.environ.get('FOLDERS', 'templates').split()]
STATICFILES_DIRS = [BASE_DIR / 'static']
LOGIN_URL = '/admin/login/'
HEADWAY_PUBLIC_URL = os.environ.get('PUBLIC', HEADWAY_PUBLIC_URL)
`,
    );
    write('shop/headway.py', block('django-headway'));
    write('shop/views.py', block('django-views'));
    write(
      'shop/urls.py',
      `${block('django-urls')}
from django.views.generic import TemplateView
from django.conf import settings
htmx = TemplateView.as_view(template_name='htmx.html', extra_context={'headway': settings.HEADWAY_PUBLIC_URL})
urlpatterns.append(path('htmx', htmx))
`,
    );
    for (const name of ['bar', 'job', 'index', 'htmx'])
      write(`templates/${name}.html`, block(`django-${name}`));
    mkdirSync(join(folder, 'static'));
    copyFileSync('node_modules/htmx.org/dist/htmx.min.js', join(folder, 'static/htmx.min.js'));
    cpSync('dist/client', join(folder, 'static/headway-client'), { recursive: true });
    write(
      'copy/job.html',
      block('django-job').replace(
        '"{{ headway }}/client/element/index.js"',
        `"{% load static %}{% static 'headway-client/element/index.js' %}"`,
      ),
    );
    const users = ['ada', 'bob'].map(
      (name) =>
        `DJANGO_SUPERUSER_PASSWORD=${name} ${PYTHON} manage.py createsuperuser --noinput --username ${name} --email ada@example.com`,
    );
    await runToEnd([`cd ${folder}`, `${PYTHON} manage.py migrate -v 0`, ...users].join(' && '), {});
  }
  beforeAll(async () => {
    pages = await startBackendPages();
    await createProject();
    await pages.serve(SERVER, {});
  }, 120_000);
  afterAll(() => pages.stop());

  async function signIn(user: string, url: string): Promise<{ page: Page; complaints: string[] }> {
    const opened = await pages.open(await pages.browser.newContext(), url);
    await opened.page.locator('#id_username').fill(user);
    await opened.page.locator('#id_password').fill(user);
    await opened.page.locator('[type=submit]').click();
    await opened.page.getByRole('button', { name: 'Start' }).waitFor();
    // The sign-in page of Django's admin is not made for the policy.
    opened.complaints.length = 0;
    return opened;
  }
  async function start(page: Page, count: number): Promise<void> {
    await page.locator('[name=count]').fill(String(count));
    await page.getByRole('button', { name: 'Start' }).click();
  }

  it('shows a job that a view has started, also after the page was loaded again', async () => {
    const { page, complaints } = await signIn('ada', pages.url);
    await start(page, 60);
    const before = await watchBar(page, 20);
    await page.reload();
    expectContinued(before, await watchBar(page, 100));
    expect(complaints).toEqual([]);
    const address = page.url();

    // Headway checks the data, and its explanation reaches the page.
    await page.goto(pages.url);
    await start(page, -1);
    expect(await page.getByRole('alert').textContent()).toMatch(/count/);
    const other = await signIn('bob', pages.url);
    const answer = await other.page.goto(address);
    expect(answer!.status()).toBe(404);
    await Promise.all([page, other.page].map((each) => each.context().close()));
    await pages.viewers(0);
  });

  it('shows a fragment that htmx has inserted, and ends the stream of the one that it replaces', async () => {
    const { page, complaints } = await signIn('ada', pages.url);
    await page.goto(`${pages.url}/htmx`);
    await start(page, 600);
    await watchBar(page, 1);
    await start(page, 100);
    const before = await watchBar(page, 10);
    await pages.viewers(1);
    expectContinued(before, await watchBar(page, 100));
    expect(complaints).toEqual([]);
    await page.context().close();
    await pages.viewers(0);
  });

  it('works behind one proxy with Headway, with a copy of the script', async () => {
    const url = await pages.serveBehindProxy(SERVER, { PUBLIC: '', FOLDERS: 'copy templates' });
    const { page, complaints } = await signIn('ada', url);
    const policy = (await page.reload())!.headers()['content-security-policy'];
    expect(policy).not.toContain('http');
    await start(page, 60);
    expectContinued(await watchBar(page, 10), await watchBar(page, 100));
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
