import { createSecretKey } from 'node:crypto';
import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, describe, expect, it } from 'vitest';
import { userKeys } from '../../../src/api/auth/keys.js';
import { createTokens, type Tokens } from '../../../src/api/auth/tokens.js';
import { readConfig } from '../../../src/shared/process/config.js';
import { startKeyServer } from '../../support/key-server.js';

const OWN = 'our own secret that is long enough';

async function tokensWith(env: Record<string, string>): Promise<Tokens> {
  const config = readConfig(env);
  const keys = await userKeys(config, OWN);
  const { JWT_AUDIENCE: audience, JWT_ISSUER: issuer } = config;
  return createTokens({ secret: OWN, ttlMs: 60_000, keys, audience, issuer });
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
