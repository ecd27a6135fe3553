import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { readRedisSettings } from '../../../src/shared/process/config.js';
import { createTlsReader } from '../../../src/shared/redis/tls.js';
import { createAuthority } from '../../support/certificates.js';
import { temporaryFolder } from '../../support/folder.js';

it('files that cannot be used are refused, and each mistake names its setting', () => {
  const folder = temporaryFolder();
  const authority = createAuthority(folder);
  const [one, two] = [authority.certify('DNS:one'), authority.certify('DNS:two')];
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const encrypted = join(folder, 'encrypted.key');
  execFileSync('openssl', ['pkey', '-in', one.key, '-aes128', '-passout', 'pass:x', '-out', encrypted]);
  mkdirSync(join(folder, 'directory'));
  const [CA, CERT, KEY] = ['REDIS_TLS_CA_FILE', 'REDIS_TLS_CERT_FILE', 'REDIS_TLS_KEY_FILE'];
  const broken = readFileSync(one.cert, 'utf8').replace(/\n.{20}/, '\n');
  const cases: Array<[env: Record<string, string>, mistake: string]> = [
    [{ [CA!]: join(folder, 'nowhere') }, `${CA}: cannot read ${join(folder, 'nowhere')} (ENOENT)`],
    [{ [CA!]: join(folder, 'directory') }, `${CA}: cannot read ${join(folder, 'directory')} (EISDIR)`],
    [{ [CA!]: file('empty', '\n') }, `${CA}: ${join(folder, 'empty')} is empty`],
    [{ [CA!]: one.key }, `${CA}: ${one.key} has no PEM block of a certificate`],
    [{ [CERT!]: one.cert }, `${CERT}: needs the private key of the certificate too`],
    [{ [KEY!]: one.key }, `${KEY}: needs the certificate of the private key too`],
    [{ [CERT!]: one.cert, [KEY!]: two.cert }, `${KEY}: ${two.cert} has no PEM block of a private key`],
    [{ [CERT!]: one.cert, [KEY!]: two.key }, `${KEY}: ${two.key} is not the private key of the certificate`],
    [{ [CERT!]: one.cert, [KEY!]: encrypted }, `${KEY}: ${encrypted} is encrypted`],
    [
      { [CERT!]: file('broken', broken), [KEY!]: one.key },
      `${CERT}: ${join(folder, 'broken')} cannot be used`,
    ],
  ];
  for (const [env, mistake] of cases) {
    expect(() => readRedisSettings({ REDIS_URL: 'rediss://h', ...env })).toThrow(mistake);
  }
  const good = { [CA!]: authority.ca, [CERT!]: one.cert, [KEY!]: one.key };
  expect(readRedisSettings({ REDIS_URL: 'rediss://h', ...good })).toMatchObject(good);
});

it('a renewed certificate is used for the next connection; files that are being replaced are not', async () => {
  const folder = temporaryFolder();
  const authority = createAuthority(folder);
  const [first, second] = [authority.certify('DNS:first'), authority.certify('DNS:second')];
  const [cert, key] = [join(folder, 'client.crt'), join(folder, 'client.key')];
  const ca = readFileSync(authority.ca);
  const server = createServer({
    requestCert: true,
    ca,
    cert: readFileSync(first.cert),
    key: readFileSync(first.key),
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  copyFileSync(first.cert, cert);
  copyFileSync(first.key, key);
  const read = createTlsReader({ ca: authority.ca, cert, key });
  /** Returns the name in the certificate that the server sees. */
  async function seen(): Promise<string | undefined> {
    const { port } = server.address() as AddressInfo;
    const accepted = once(server, 'secureConnection');
    const client = connect({ port, host: '127.0.0.1', servername: 'first', secureContext: read() });
    const [socket] = (await accepted) as [TLSSocket];
    const name = socket.getPeerCertificate().subjectaltname;
    client.destroy();
    return name;
  }
  try {
    expect(await seen()).toBe('DNS:first');
    copyFileSync(second.cert, cert);
    expect(await seen()).toBe('DNS:first');
    copyFileSync(second.key, key);
    expect(await seen()).toBe('DNS:second');
  } finally {
    server.close();
  }
});
