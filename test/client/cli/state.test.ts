import { readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openState, stateFolder } from '../../../src/client/cli/state.js';
import { temporaryFolder } from '../../support/folder.js';

const URL = 'http://127.0.0.1:3000';
/** A token with only an expiry. */
const tokenUntil = (ms: number): string =>
  `x.${Buffer.from(JSON.stringify({ exp: ms / 1000 })).toString('base64url')}.x`;

describe('the state of the command line', () => {
  it('keeps the token of each job, readable only by this user', async () => {
    const folder = join(temporaryFolder(), 'headway');
    const state = openState(folder, () => 1000);
    const token = tokenUntil(2000);
    await state.keepJob({ url: URL, id: 'steps.1', name: 'steps', token });
    expect(await state.jobToken(URL, 'steps.1')).toBe(token);
    expect(await state.jobToken('http://other', 'steps.1')).toBeUndefined();
    const [file] = readdirSync(join(folder, 'jobs'));
    expect(statSync(join(folder, 'jobs', file!)).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'jobs')).mode & 0o777).toBe(0o700);
  });

  it('removes expired entries and incomplete drafts', async () => {
    const folder = temporaryFolder();
    let now = 1000;
    const state = openState(folder, () => now);
    await state.keepJob({ url: URL, id: 'a', name: 'steps', token: tokenUntil(2000) });
    const draft = join(folder, 'jobs', 'draft-1');
    writeFileSync(draft, '{');
    utimesSync(draft, 0, 0);
    now = 200_000_000;
    expect(await state.jobToken(URL, 'a')).toBeUndefined();
    await state.keepJob({ url: URL, id: 'b', name: 'steps', token: tokenUntil(300_000_000) });
    expect(readdirSync(join(folder, 'jobs'))).toHaveLength(1);
  });

  it('keeps the newest token of a job, and at most 1000 jobs', async () => {
    const folder = temporaryFolder();
    const state = openState(folder, () => 0);
    await state.keepJob({ url: URL, id: 'a', name: 'steps', token: tokenUntil(20_000) });
    for (let i = 0; i < 1003; i++) {
      const name = `${String(10_000 + i).padStart(15, '0')}-${String(i).padStart(40, '0')}.json`;
      writeFileSync(join(folder, 'jobs', name), '{}');
    }
    await state.keepJob({ url: URL, id: 'a', name: 'steps', token: tokenUntil(30_000) });
    expect(await state.jobToken(URL, 'a')).toBe(tokenUntil(30_000));
    const files = readdirSync(join(folder, 'jobs')).sort();
    expect(files).toHaveLength(1000);
    // The oldest job and the older token of job a are removed.
    expect(files[0]).toMatch(/^000000000010004-/);
    expect(files.filter((file) => !/-0{30}/.test(file))).toHaveLength(1);
  });

  it('survives concurrent writes and a damaged file', async () => {
    const folder = temporaryFolder();
    const ids = Array.from({ length: 30 }, (_, n) => `job${n}`);
    await Promise.all(
      ids.map((id) =>
        openState(folder).keepJob({ url: URL, id, name: 'steps', token: tokenUntil(Date.now() + 60_000) }),
      ),
    );
    const state = openState(folder);
    expect((await state.jobs(URL)).map(({ id }) => id).sort()).toEqual([...ids].sort());
    for (const file of readdirSync(join(folder, 'jobs')).slice(1))
      writeFileSync(join(folder, 'jobs', file), '{');
    expect(await state.jobs(URL)).toHaveLength(1);
  });

  it('uses the XDG state folder', () => {
    expect(stateFolder({ XDG_STATE_HOME: '/s' })).toBe('/s/headway');
    // The specification does not allow relative paths.
    expect(stateFolder({ XDG_STATE_HOME: 's' })).toMatch(/^\/.*\/\.local\/state\/headway$/);
  });
});
