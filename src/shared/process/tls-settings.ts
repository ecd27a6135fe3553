import { z } from 'zod';

/** The settings of the API's own TLS. `tls-files.ts` checks the files where they are used. */
export const tlsSettings = {
  TLS_CERT: z
    .string()
    .default('')
    .describe(
      'PEM file with the certificate of the API, followed by intermediate certificates. With it, `PORT` serves HTTPS: HTTP/2, over which a browser is not limited to six streams, and HTTP/1.1 for clients without it. A renewed certificate is used within seconds, without a restart. If empty, `PORT` serves HTTP, usually behind a proxy with TLS. Ignored by embedded servers.',
    ),
  TLS_KEY: z
    .string()
    .default('')
    .describe('PEM file with the private key of `TLS_CERT`, not encrypted. Needed with `TLS_CERT`.'),
};
