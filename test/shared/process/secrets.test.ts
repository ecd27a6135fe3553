import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type Config, ConfigError, configSchema, readConfig } from '../../../src/shared/process/config.js';
import { keptSecrets } from '../../../src/shared/process/kept-secret.js';
import { isSecretSetting, secretsOf } from '../../../src/shared/process/redact.js';
import { librarySettings } from '../../../src/shared/process/settings.js';
import { temporaryFolder } from '../../support/folder.js';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);
const WEBHOOK = [
  `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
  `whsec_${Buffer.alloc(32, 2).toString('base64')}`,
];

const problemsOf = (env: Record<string, string>): string[] => {
  try {
    readConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
  return [];
};

describe('a setting with secrets', () => {
  it.each<[keyof Config, string, string[]]>([
    ['TOKEN_SECRET', '', []],
    [
      'TOKEN_SECRET',
      'one secret with any characters; of 32 bytes',
      ['one secret with any characters; of 32 bytes'],
    ],
    ['TOKEN_SECRET', `${A},${B}`, [A, B]],
    ['JWT_SECRET', `${A},${B}`, [A, B]],
    ['ADMIN_TOKEN', `${A},sixteen_letters_`, [A, 'sixteen_letters_']],
    ['WEBHOOK_SECRET', WEBHOOK.join(), WEBHOOK],
  ])('%s=%j has one, or several of them', (name, value, expected) => {
    expect(readConfig({ [name]: value })[name]).toEqual(expected);
  });

  it.each([
    [
      'TOKEN_SECRET',
      `${A},short`,
      'secret 2 of 2 must be at least 32 bytes; if the comma is part of a secret',
    ],
    ['TOKEN_SECRET', 'a secret of 32 bytes, with a comma', 'secret 1 of 2 must be at least 32 bytes'],
    ['TOKEN_SECRET', `${A}$,${B}`, 'secret 1 of 2 must consist of letters, digits'],
    ['TOKEN_SECRET', `${A}, ${B}`, 'secret 2 of 2 must consist of letters, digits'],
    ['TOKEN_SECRET', `${A},`, 'secret 2 of 2 must not be empty'],
    ['TOKEN_SECRET', ',', 'secret 1 of 2 must not be empty'],
    ['TOKEN_SECRET', `${A},${B},${A}`, 'has the same secret twice'],
    ['JWT_SECRET', `${A},short`, 'secret 2 of 2 must be at least 32 bytes'],
    ['ADMIN_TOKEN', `${A},short`, 'secret 2 of 2 must be at least 16 visible ASCII characters'],
    ['ADMIN_TOKEN', 'a-token,with-a-comma', 'secret 1 of 2 must be at least 16'],
    ['WEBHOOK_SECRET', `${WEBHOOK[0]},x`, 'secret 2 of 2 must be whsec_'],
    ['TOKEN_SECRET', Array.from({ length: 9 }, (_, i) => `${A}${i}`).join(), 'must have at most 8 secrets'],
  ])('%s=%j is refused', (name, value, why) => {
    const [problem = '', ...others] = problemsOf({ [name]: value }).filter((line) => line.includes(why));
    expect(problem.startsWith(`${name}: ${why}`)).toBe(true);
    expect(others).toEqual([]);
    expect(problemsOf({ [name]: value }).join()).not.toMatch(/aaaa|short/);
  });

  it('can be read from a file, one secret per line, with any characters', () => {
    const file = join(temporaryFolder(), 'secret');
    const read = (content: string | Buffer): string[] => {
      writeFileSync(file, content);
      return readConfig({ TOKEN_SECRET_FILE: file }).TOKEN_SECRET;
    };
    expect(read(A)).toEqual([A]);
    expect(read(`${A}\n`)).toEqual([A]);
    expect(read(`\ufeff${A}\r\n\r\n${B}\r\n`)).toEqual([A, B]);
    // So a secret with a comma stays valid, and can be replaced.
    expect(read(`${B}\na secret of 32 bytes, with a comma\n`)).toEqual([
      B,
      'a secret of 32 bytes, with a comma',
    ]);
    writeFileSync(file, WEBHOOK.join('\n'));
    expect(readConfig({ WEBHOOK_SECRET_FILE: file }).WEBHOOK_SECRET).toEqual(WEBHOOK);
  });

  /** A valid value of each setting that holds a secret. */
  const SECRET_VALUES: Partial<Record<keyof Config, string | undefined>> = {
    TOKEN_SECRET: A,
    ADMIN_TOKEN: A,
    JWT_SECRET: A,
    WEBHOOK_SECRET: WEBHOOK[0],
    ALERT_WEBHOOK_SECRET: WEBHOOK[0],
    REDIS_URL: 'rediss://:pass%2Fword@redis.example:6380/2',
    REDIS_PASSWORD: 'the password of Redis',
    REDIS_SENTINEL_PASSWORD: 'the password of Sentinel',
    JWT_JWKS_URL: 'https://user:password@keys.example/jwks.json',
    ALERT_WEBHOOK_URL: 'https://hooks.example/services/T0/B0/XXXX',
  };

  it('can be read from a file, whichever setting it is, and is hidden in the logs', () => {
    // A new setting with a secret needs a value here.
    const hidden = (Object.keys(configSchema.shape) as Array<keyof Config>).filter(isSecretSetting);
    // Credentials in it are refused, so it is only hidden in errors.
    const names = hidden.filter((name) => name !== 'FILES_URL');
    expect(names.sort()).toEqual(Object.keys(SECRET_VALUES).sort());
    const file = join(temporaryFolder(), 'secret');
    for (const name of names) {
      const value = SECRET_VALUES[name]!;
      writeFileSync(file, `${value}\n`);
      const beside: Record<string, string> =
        name === 'REDIS_SENTINEL_PASSWORD' ? { REDIS_URL: 'redis+sentinel://sentinel.example/main' } : {};
      const config = readConfig({ ...beside, [`${name}_FILE`]: file });
      expect(config[name], name).toEqual(readConfig({ ...beside, [name]: value })[name]);
      expect(
        secretsOf(config).some((secret) => value.includes(secret) && secret.length >= 8),
        name,
      ).toBe(true);
      expect(problemsOf({ [`${name}_FILE`]: file, [name]: value })).toEqual([
        `${name}_FILE: must not be set together with ${name}`,
      ]);
      // Any text can be a password.
      if (name.endsWith('PASSWORD')) continue;
      writeFileSync(file, 'wrong, and still secret\n');
      const [problem, ...others] = problemsOf({ [`${name}_FILE`]: file });
      expect(problem).toMatch(new RegExp(`^${name}_FILE: `));
      expect([problem, ...others].join()).not.toContain('still secret');
    }
  });

  it('that is a URL has one line in its file, and replaces one of the environment', () => {
    const file = join(temporaryFolder(), 'url');
    const [REDIS_URL_FILE, redis] = [file, 'redis://redis.example:1'];
    writeFileSync(file, `${redis}\nredis://redis.example:2\n`);
    expect(problemsOf({ REDIS_URL_FILE })).toEqual([`REDIS_URL_FILE: ${file} must have one line`]);
    writeFileSync(file, '\n');
    expect(problemsOf({ REDIS_URL_FILE })).toEqual([`REDIS_URL_FILE: ${file} is empty`]);
    vi.stubEnv('REDIS_URL_FILE', join(temporaryFolder(), 'none'));
    expect(librarySettings({ jobs: [], redis }).REDIS_URL).toBe(redis);
    vi.unstubAllEnvs();
  });

  it('is refused with the name of the file that is wrong', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'secret');
    const problems = (content: string | Buffer): string[] => {
      writeFileSync(file, content);
      return problemsOf({ ADMIN_TOKEN_FILE: file });
    };
    expect(problems('\n')).toEqual([`ADMIN_TOKEN_FILE: ${file} is empty`]);
    expect(problems('short')).toEqual(['ADMIN_TOKEN_FILE: must be at least 16 visible ASCII characters']);
    expect(problems(`${A}\nshort`)).toEqual([
      'ADMIN_TOKEN_FILE: secret 2 of 2 must be at least 16 visible ASCII characters',
    ]);
    expect(problems(Buffer.alloc(64, 0xff))).toEqual([
      expect.stringMatching(/^ADMIN_TOKEN_FILE: cannot read /),
    ]);
    expect(problemsOf({ ADMIN_TOKEN_FILE: folder })).toEqual([
      `ADMIN_TOKEN_FILE: cannot read ${folder} (EISDIR)`,
    ]);
    expect(problemsOf({ ADMIN_TOKEN_FILE: `${file}.none` })).toEqual([
      `ADMIN_TOKEN_FILE: cannot read ${file}.none (ENOENT)`,
    ]);
    writeFileSync(file, A);
    expect(problemsOf({ ADMIN_TOKEN_FILE: file, ADMIN_TOKEN: B, PORT: 'x' })).toEqual([
      'ADMIN_TOKEN_FILE: must not be set together with ADMIN_TOKEN',
      expect.stringMatching(/^PORT: /),
    ]);
  });

  it('of a program that embeds Headway replaces the one of the environment, also if that is a file', () => {
    vi.stubEnv('TOKEN_SECRET_FILE', join(temporaryFolder(), 'none'));
    const settings = { TOKEN_SECRET: A };
    expect(librarySettings({ jobs: [], settings }).TOKEN_SECRET).toEqual([A]);
    vi.unstubAllEnvs();
  });
});

describe('a generated secret', () => {
  const warn = vi.fn();
  it('is kept, and can be replaced by a line above it', async () => {
    const folder = join(temporaryFolder(), 'data');
    const [made, ...none] = await keptSecrets(folder, 'token-secret', { warn });
    expect([none, await keptSecrets(folder, 'token-secret', { warn })]).toEqual([[], [made]]);
    expect(warn.mock.calls).toEqual([[expect.stringContaining(`created the data folder ${folder}: `)]]);
    const file = join(folder, 'token-secret');
    writeFileSync(file, `${B}\n${readFileSync(file, 'utf8')}\n`);
    expect(await keptSecrets(folder, 'token-secret', { warn })).toEqual([B, made]);
    for (const damaged of ['', '\n', `${B}\nshort`]) {
      writeFileSync(file, damaged);
      await expect(keptSecrets(folder, 'token-secret', { warn })).rejects.toThrow('is damaged');
    }
  });

  it('is not committed: git ignores a new data folder', async () => {
    const project = temporaryFolder();
    const git = (...args: string[]) => execFileSync('git', args, { cwd: project, encoding: 'utf8' });
    git('init', '--quiet');
    await keptSecrets(join(project, 'data'), 'token-secret', { warn });
    writeFileSync(join(project, 'server.js'), '');
    expect(git('status', '--porcelain', '--untracked-files=all')).toBe('?? server.js\n');
  });
});
