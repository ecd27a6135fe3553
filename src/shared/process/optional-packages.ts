import { PermanentError } from '../errors.js';

/**
 * The features that need packages which the server's package does not require. Whoever uses such a feature installs them; in
 * this repository, and in the image, they are installed. `packages/server/package.json` names the same packages.
 */
export const OPTIONAL = {
  images: { what: 'Reading and writing images', packages: ['sharp'] },
  zip: { what: 'Reading and writing zip files', packages: ['yauzl', 'yazl'] },
  csv: { what: 'Importing CSV files', packages: ['csv-parse', 'iconv-lite', 'libsql'] },
  board: { what: 'Bull Board', packages: ['@bull-board/api', '@bull-board/express'] },
  bucket: { what: 'Storing files in a bucket', packages: ['@aws-sdk/client-s3', '@aws-sdk/lib-storage'] },
  tracing: {
    what: 'Exporting traces',
    packages: [
      '@opentelemetry/api',
      '@opentelemetry/exporter-trace-otlp-http',
      '@opentelemetry/exporter-trace-otlp-proto',
      '@opentelemetry/resources',
      '@opentelemetry/sdk-trace-node',
    ],
  },
} as const satisfies Record<string, { what: string; packages: readonly string[] }>;

export type OptionalFeature = keyof typeof OPTIONAL;

/** A feature is used whose packages are not installed. The message names them. A job fails with it without a retry. */
export class MissingPackageError extends PermanentError {
  override name = 'MissingPackageError';
}

/**
 * Loads packages of a feature when it is first used.
 * @throws MissingPackageError if one of them is not installed
 */
export async function loadOptional<T>(feature: OptionalFeature, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { what, packages } = OPTIONAL[feature];
    if (!packages.some((name) => isMissing(error, name))) throw error;
    const command = `npm install ${packages.join(' ')}`;
    throw new MissingPackageError(`${what} needs packages that are not installed. Run: ${command}`, {
      cause: error,
    });
  }
}

/** Whether an error of Node, or of Yarn Plug'n'Play, says that a package was not found. */
function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return false;
  // What follows names the file that imports the package.
  const [said = ''] = message.split(/ imported from |\n/, 1);
  return said.includes(name);
}
