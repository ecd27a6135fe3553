import { createSecretKey } from 'node:crypto';
import { decodeProtectedHeader, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, describe, expect, it } from 'vitest';
import { createAdminTokens } from '../../../src/api/auth/admin-tokens.js';
import { userKeys } from '../../../src/api/auth/keys.js';
import { createTokens, type Tokens } from '../../../src/api/auth/tokens.js';
import { keyIdOf } from '../../../src/shared/auth/key-ring.js';
import { readConfig } from '../../../src/shared/process/config.js';
import type { Secrets } from '../../../src/shared/process/secret-list.js';
import { startKeyServer } from '../../support/key-server.js';

const OWN = 'our own secret that is long enough';

async function tokensWith(env: Record<string, string>, secrets: Secrets = [OWN]): Promise<Tokens> {
  const config = readConfig(env);
  const keys = await userKeys(config, secrets);
  const { JWT_AUDIENCE: audience, JWT_ISSUER: issuer } = config;
  const adminTokens = createAdminTokens(config.ADMIN_TOKEN, secrets);
  return createTokens({ secrets, ttlMs: 60_000, keys, audience, issuer, adminTokens });
}

type Key = Parameters<SignJWT['sign']>[0];
const sign = (
  key: Key,
  { alg = 'HS256', kid = undefined as string | undefined, claims = {}, aud = 'headway', iss = 'x' } = {},
) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg, ...(kid ? { kid } : {}) })
    .setSubject('ada')
    .setAudience(aud)
    .setIssuer(iss)
    .setExpirationTime('1h')
    .sign(key);
const secret = (text: string) => createSecretKey(Buffer.from(text));
const refused = { code: 'invalid-token' };

describe('user tokens', () => {
  it('identify a user, the tenant and the grants', async () => {
    const tokens = await tokensWith({});
    const token = await sign(secret(OWN), {
      claims: {
        tenant: 'acme',
        iat: 1_700_000_000,
        jti: 'one',
        team: 'red',
        headway: { subscribe: ['a.*'], publish: ['b'], jobs: ['steps'] },
      },
    });
    expect(await tokens.verify(token)).toEqual({
      subject: 'ada',
      tenant: 'acme',
      admin: false,
      grants: { subscribe: ['a.*'], publish: ['b'], jobs: ['steps'] },
      expiresAt: expect.any(Number),
      issuedAt: 1_700_000_000_000,
      jti: 'one',
      claims: expect.objectContaining({ sub: 'ada', team: 'red' }),
    });
  });

  it('can be signed with a separate shared secret', async () => {
    const tokens = await tokensWith({ JWT_SECRET: 'a secret shared with another service' });
    await tokens.verify(await sign(secret('a secret shared with another service')));
    await expect(tokens.verify(await sign(secret(OWN)))).rejects.toMatchObject(refused);
  });

  it.each(['RS256', 'ES256', 'EdDSA'])('can be signed with %s and a key pair', async (alg) => {
    const { publicKey, privateKey } = await generateKeyPair(alg);
    const tokens = await tokensWith({ JWT_PUBLIC_KEY: await exportSPKI(publicKey) });
    expect(await tokens.verify(await sign(privateKey, { alg }))).toMatchObject({ subject: 'ada' });
    const other = await generateKeyPair(alg);
    await expect(tokens.verify(await sign(other.privateKey, { alg }))).rejects.toMatchObject(refused);
  });

  it('can be signed with any of several key pairs', async () => {
    const pairs = await Promise.all(
      ['RS256', 'ES256', 'EdDSA', 'ES256', 'EdDSA'].map(async (alg) => ({
        alg,
        ...(await generateKeyPair(alg)),
      })),
    );
    const pems = await Promise.all(pairs.map(({ publicKey }) => exportSPKI(publicKey)));
    const tokens = await tokensWith({ JWT_PUBLIC_KEY: pems.join('\nbetween the keys\n') });
    for (const { alg, privateKey } of pairs) {
      expect(await tokens.verify(await sign(privateKey, { alg, kid: 'theirs' }))).toMatchObject({
        subject: 'ada',
      });
      const other = await generateKeyPair(alg);
      await expect(tokens.verify(await sign(other.privateKey, { alg }))).rejects.toMatchObject(refused);
    }
    const broken = [pems[0], pems[1]!.replace(/[A-Za-z]{8}/g, 'AAAAAAAA')].join('\n');
    await expect(tokensWith({ JWT_PUBLIC_KEY: broken })).rejects.toThrow(/^JWT_PUBLIC_KEY: cannot be read/);
  });

  it('can be signed with any of several shared secrets, with and without the id of one', async () => {
    const [first, second] = ['a'.repeat(32), 'b'.repeat(32)] as const;
    const tokens = await tokensWith({ JWT_SECRET: `${first},${second}` });
    for (const kid of [undefined, 'theirs', keyIdOf(first), keyIdOf(second)]) {
      for (const text of [first, second]) {
        const token = sign(secret(text), { kid });
        // A token that names a secret is checked with that one only.
        if (kid === keyIdOf(text === first ? second : first)) {
          await expect(tokens.verify(await token)).rejects.toMatchObject(refused);
        } else expect(await tokens.verify(await token)).toMatchObject({ subject: 'ada' });
      }
      await expect(tokens.verify(await sign(secret(OWN), { kid }))).rejects.toMatchObject(refused);
    }
  });

  it('cannot be signed with the public key as a shared secret', async () => {
    const { publicKey } = await generateKeyPair('RS256');
    const pem = await exportSPKI(publicKey);
    const tokens = await tokensWith({ JWT_PUBLIC_KEY: pem });
    await expect(tokens.verify(await sign(secret(pem)))).rejects.toMatchObject(refused);
  });

  it('need our audience, and the configured issuer', async () => {
    const tokens = await tokensWith({ JWT_AUDIENCE: 'us', JWT_ISSUER: 'https://login.example' });
    await tokens.verify(await sign(secret(OWN), { aud: 'us', iss: 'https://login.example' }));
    for (const wrong of [
      { aud: 'headway', iss: 'https://login.example' },
      { aud: 'us', iss: 'https://other.example' },
    ]) {
      await expect(tokens.verify(await sign(secret(OWN), wrong))).rejects.toMatchObject(refused);
    }
  });

  it('do not give access to a job, and a job token does not identify a user', async () => {
    const tokens = await tokensWith({ JWT_SECRET: 'a secret shared with another service' });
    const shared = secret('a secret shared with another service');
    await expect(tokens.verify(await sign(shared, { aud: 'headway:job' }))).rejects.toMatchObject(refused);
    expect(await tokens.verify(await tokens.sign('steps.1'))).toMatchObject({ jobId: 'steps.1' });
  });
});

describe('the token of a job', () => {
  const claims = { sub: 'steps.1', aud: 'headway:job', exp: 4_000_000_000 };
  const mint = (key: Key, header: object, payload: object) =>
    new SignJWT({ ...payload }).setProtectedHeader({ alg: 'HS256', ...header }).sign(key);

  it('is signed with the first secret and valid with each, also without the id of one', async () => {
    const next = 'the next secret, which is long enough';
    const [before, during, after] = await Promise.all(
      ([[OWN], [next, OWN], [next]] as const).map((secrets) => tokensWith({}, secrets)),
    );
    const [old, fresh] = [before!.sign('steps.1'), during!.sign('steps.1')];
    expect(decodeProtectedHeader(old)).toEqual({ alg: 'HS256', typ: 'JWT', kid: keyIdOf(OWN) });
    expect(decodeProtectedHeader(fresh).kid).toBe(keyIdOf(next));
    const ofOlderRelease = await mint(secret(OWN), { typ: 'JWT' }, claims);
    for (const token of [old, fresh, ofOlderRelease]) {
      expect(await during!.verify(token)).toMatchObject({ jobId: 'steps.1' });
    }
    expect(await after!.verify(fresh)).toMatchObject({ jobId: 'steps.1' });
    for (const token of [old, ofOlderRelease]) {
      await expect(after!.verify(token)).rejects.toMatchObject(refused);
    }
    await expect(before!.verify(fresh)).rejects.toMatchObject(refused);
    const misnamed = await mint(secret(OWN), { kid: keyIdOf(next) }, claims);
    await expect(during!.verify(misnamed)).rejects.toMatchObject(refused);
  });

  it('is valid with any header of its algorithm', async () => {
    const tokens = await tokensWith({});
    const claim = { jobId: 'steps.1', expiresAt: 4_000_000_000_000 };
    expect(await tokens.verify(await mint(secret(OWN), { typ: 'JWT' }, claims))).toEqual(claim);
    expect(await tokens.verify(await mint(secret(OWN), { kid: 'one' }, claims))).toEqual(claim);
  });

  it.each([
    ['another secret', 'another secret that is long enough', {}, claims],
    ['another algorithm', OWN, { alg: 'HS512' }, claims],
    ['no expiry', OWN, {}, { ...claims, exp: undefined }],
    ['a past expiry', OWN, {}, { ...claims, exp: 1_700_000_000 }],
    ['no job', OWN, {}, { ...claims, sub: undefined }],
    ['a later start', OWN, {}, { ...claims, nbf: 3_900_000_000 }],
  ])('is refused with %s', async (_what, text, header, payload) => {
    const tokens = await tokensWith({});
    await expect(tokens.verify(await mint(secret(text), header, payload))).rejects.toMatchObject(refused);
  });

  it('has no other spelling, which would not be revoked with it', async () => {
    const tokens = await tokensWith({});
    const token = await tokens.sign('steps.1');
    expect(await tokens.verify(token)).toMatchObject({ jobId: 'steps.1' });
    const [header, payload, signature] = token.split('.') as [string, string, string];
    for (const other of [
      `${token}=`,
      `${token}.`,
      `${token}!`,
      `${header}.${payload}`,
      `${header}.${payload}.`,
      `${header}=.${payload}.${signature}`,
      `${header}.${payload}=.${signature}`,
    ]) {
      await expect(tokens.verify(other), other).rejects.toMatchObject(refused);
    }
  });
});

describe('a JWKS URL', () => {
  const stops: Array<() => Promise<void>> = [];
  afterAll(() => Promise.all(stops.map((stop) => stop())));

  it('is fetched once for many tokens, and its keys stay valid while it does not respond', async () => {
    const server = await startKeyServer();
    stops.push(server.stop);
    const key = await server.rotate('one');
    const tokens = await tokensWith({ JWT_JWKS_URL: server.url });
    const token = await sign(key, { alg: 'ES256', kid: 'one' });
    for (let i = 0; i < 10; i++) expect(await tokens.verify(token)).toMatchObject({ subject: 'ada' });
    expect(server.asked()).toBe(1);
    await server.stop();
    expect(await tokens.verify(token)).toMatchObject({ subject: 'ada' });
    const stranger = await sign((await generateKeyPair('ES256')).privateKey, { alg: 'ES256', kid: 'one' });
    await expect(tokens.verify(stranger)).rejects.toMatchObject(refused);
  });

  it('provides new keys after a rotation', async () => {
    const server = await startKeyServer();
    stops.push(server.stop);
    const tokens = await tokensWith({ JWT_JWKS_URL: server.url });
    const key = await server.rotate('two');
    expect(await tokens.verify(await sign(key, { alg: 'ES256', kid: 'two' }))).toMatchObject({
      subject: 'ada',
    });
    const unknown = await sign(key, { alg: 'ES256', kid: 'three' });
    await expect(tokens.verify(unknown)).rejects.toMatchObject(refused);
  });

  it('causes the error unavailable, not invalid-token, before its first response', async () => {
    const server = await startKeyServer();
    const key = await server.rotate('one');
    await server.stop();
    const tokens = await tokensWith({ JWT_JWKS_URL: server.url });
    await expect(tokens.verify(await sign(key, { alg: 'ES256', kid: 'one' }))).rejects.toMatchObject({
      code: 'unavailable',
    });
  });
});
