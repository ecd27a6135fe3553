import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './folder.js';

/** The paths of a certificate and its private key, as PEM files. */
export interface Certificate {
  cert: string;
  key: string;
}

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Makes an authority, and returns a function that makes certificates of it. */
export function createAuthority(folder = temporaryFolder()) {
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { stdio: 'ignore', cwd: folder });
  const ca = join(folder, 'ca.crt');
  openssl(
    'req',
    '-x509',
    ...CURVE,
    '-days',
    '2',
    '-subj',
    '/CN=authority',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
  );
  let serial = 1;
  return {
    ca,
    /** @param names subject alternative names: `DNS:redis.test,IP:127.0.0.1` */
    certify(names: string, days = 2): Certificate {
      const name = String(serial++);
      const [cert, key] = [`${name}.crt`, `${name}.key`];
      writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names}\n`);
      openssl('req', ...CURVE, '-subj', `/CN=${name}`, '-keyout', key, '-out', `${name}.csr`);
      const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-set_serial', name, '-days', String(days)];
      openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-extfile', `${name}.ext`, '-out', cert);
      return { cert: join(folder, cert), key: join(folder, key) };
    },
  };
}

/** Arguments for redis-server that offer TLS on a port, to clients with a certificate of the same authority. */
export const tlsArguments = (port: number, ca: string, { cert, key }: Certificate): string[] => [
  ...['--tls-port', String(port), '--tls-ca-cert-file', ca],
  ...['--tls-cert-file', cert, '--tls-key-file', key],
];
