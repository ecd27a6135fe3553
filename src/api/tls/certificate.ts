import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { every } from '../../shared/process/every.js';
import type { Logger } from '../../shared/process/log.js';
import type { Service } from '../../shared/process/service.js';
import { tlsFileMistakes } from '../../shared/process/tls-files.js';
import { serverNow } from '../../shared/redis/server-clock.js';

/** How often the files are looked at, in ms. */
const CHECK_MS = 5000;
/** From when on a certificate that is about to expire is reported, and how often, in ms. */
const SOON_MS = 7 * 24 * 60 * 60_000;
const REPEAT_MS = 24 * 60 * 60_000;

const SETTINGS = { cert: 'TLS_CERT', key: 'TLS_KEY', ca: '' } as const;

/** The paths of the certificate and of its private key. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** The contents of the files. */
export type KeyPair = Record<'cert' | 'key', Buffer>;

/** Returns one line for each mistake, with the setting; empty if the files can be used. */
export const certificateMistakes = (files: CertificateFiles): string[] =>
  tlsFileMistakes(files).map(([file, mistake]) => `${SETTINGS[file]}: ${mistake}`);

export const readKeyPair = ({ cert, key }: CertificateFiles): KeyPair => ({
  cert: readFileSync(cert),
  key: readFileSync(key),
});

/**
 * Takes over a certificate when its files change. Files that cannot be used, because only one of them has been replaced so far,
 * are looked at again. Warns of a certificate that has expired, or is about to.
 * @param use called with the new certificate
 * @param checkMs how often the files are looked at, in ms. Defaults to 5000
 */
export function followCertificate(
  files: CertificateFiles,
  use: (pair: KeyPair) => void,
  log: Logger,
  checkMs = CHECK_MS,
): Service {
  let seen = versionOf(files);
  let reported = '';
  let expiry = readExpiry(files);
  let warnedAt = Number.NEGATIVE_INFINITY;

  function takeOver(): void {
    const version = versionOf(files);
    if (version === seen) return;
    const mistakes = certificateMistakes(files).join('; ');
    if (mistakes !== '') {
      if (mistakes !== reported) log.error({ mistakes }, 'cannot use the new certificate; using the old one');
      reported = mistakes;
      return;
    }
    use(readKeyPair(files));
    seen = version;
    reported = '';
    expiry = readExpiry(files);
    warnedAt = Number.NEGATIVE_INFINITY;
    log.info({ validTo: expiry.validTo }, 'using the new certificate');
  }

  function warn(): void {
    const now = serverNow();
    if (performance.now() - warnedAt < REPEAT_MS) return;
    const { validFrom, validTo } = expiry;
    const left = Date.parse(validTo) - now;
    const path = files.cert;
    if (left <= 0) log.warn({ path, validTo }, 'TLS_CERT: the certificate has expired; clients refuse it');
    else if (left <= SOON_MS) log.warn({ path, validTo }, 'TLS_CERT: the certificate expires within a week');
    else if (Date.parse(validFrom) > now)
      log.warn({ path, validFrom }, 'TLS_CERT: the certificate is not valid yet; clients refuse it');
    else return;
    warnedAt = performance.now();
  }

  const check = async (): Promise<void> => {
    takeOver();
    warn();
  };
  warn();
  return every(checkMs, check, (error) => log.error({ err: error }, 'cannot read the certificate'));
}

/** Returns a text that changes when one of the files does: also when it is replaced by an older file. */
const versionOf = ({ cert, key }: CertificateFiles): string =>
  [cert, key]
    .map((path) => statSync(path, { throwIfNoEntry: false }))
    .map((stat) => (stat ? `${stat.dev}-${stat.ino}-${stat.size}-${stat.mtimeMs}` : 'missing'))
    .join();

function readExpiry({ cert }: CertificateFiles): Pick<X509Certificate, 'validFrom' | 'validTo'> {
  const { validFrom, validTo } = new X509Certificate(readFileSync(cert));
  return { validFrom, validTo };
}
