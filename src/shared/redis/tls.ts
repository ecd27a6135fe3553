import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type TlsFiles, tlsFileMistakes } from '../process/tls-files.js';

/**
 * Returns a function that reads the files for a new connection, so that renewed certificates are used without a restart.
 * Files that cannot be used at that moment, because they are being replaced, are read again for the next connection.
 */
export function createTlsReader(files: TlsFiles): () => SecureContext {
  let last: SecureContext | undefined;
  return () => {
    if (last && tlsFileMistakes(files).length > 0) return last;
    const read = (path: string | undefined): string | undefined =>
      path ? readFileSync(path, 'utf8') : undefined;
    last = createSecureContext({ ca: read(files.ca), cert: read(files.cert), key: read(files.key) });
    return last;
  };
}
