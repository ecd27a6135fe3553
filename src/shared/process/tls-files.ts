import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Paths of PEM files. */
export interface TlsFiles {
  /** Certificates of the authorities that are trusted. They replace those of Node. */
  ca?: string | undefined;
  /** The client certificate, followed by intermediate certificates. */
  cert?: string | undefined;
  key?: string | undefined;
}

type Kind = keyof TlsFiles;
type Pem = Partial<Record<Kind, string>>;

const KINDS: readonly Kind[] = ['ca', 'cert', 'key'];
const CONTENT: Record<Kind, [pattern: RegExp, name: string]> = {
  ca: [/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/, 'a certificate'],
  cert: [/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/, 'a certificate'],
  key: [/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/, 'a private key'],
};

const ENCRYPTED = /^-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m;
const DECRYPT = 'is encrypted. Decrypt it with: openssl pkey -in <file> -out <new file>';

/** Returns what is wrong with the files, and with which of them; empty if they can be used. */
export function tlsFileMistakes(files: TlsFiles): Array<[file: Kind, mistake: string]> {
  const pem: Pem = {};
  const mistakes: Array<[Kind, string]> = [];
  for (const kind of KINDS) {
    const path = files[kind];
    if (!path) continue;
    const [pattern, name] = CONTENT[kind];
    try {
      const text = readFileSync(path, 'utf8');
      if (pattern.test(text)) pem[kind] = text;
      else mistakes.push([kind, text.trim() ? `${path} has no PEM block of ${name}` : `${path} is empty`]);
    } catch (error) {
      mistakes.push([kind, `cannot read ${path} (${(error as NodeJS.ErrnoException).code})`]);
    }
  }
  if (files.cert && !files.key) mistakes.push(['cert', 'needs the private key of the certificate too']);
  if (files.key && !files.cert) mistakes.push(['key', 'needs the certificate of the private key too']);
  return mistakes.length > 0 ? mistakes : contentMistakes(files, pem);
}

function contentMistakes(files: TlsFiles, pem: Pem): Array<[Kind, string]> {
  for (const kind of KINDS) {
    if (pem[kind] === undefined) continue;
    try {
      if (kind === 'key' && ENCRYPTED.test(pem[kind])) return [[kind, `${files[kind]} ${DECRYPT}`]];
      if (kind === 'key') createPrivateKey(pem[kind]);
      else new X509Certificate(pem[kind]);
    } catch (error) {
      return [[kind, `${files[kind]} cannot be used: ${(error as Error).message}`]];
    }
  }
  if (pem.cert !== undefined && pem.key !== undefined) {
    if (!new X509Certificate(pem.cert).checkPrivateKey(createPrivateKey(pem.key))) {
      return [['key', `${files.key} is not the private key of the certificate in ${files.cert}`]];
    }
  }
  return [];
}
