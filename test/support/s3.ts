import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { buildApp } from 'fauxqs';

/** What the server keeps of a multipart upload. */
interface OpenUpload {
  uploadId: string;
  bucket: string;
  key: string;
  parts: Map<number, { partNumber: number; body: Buffer; etag: string; lastModified: Date }>;
  initiated: Date;
}

interface Store {
  multipartUploads: Map<string, OpenUpload>;
  createBucket(name: string): void;
}

/** An S3 server in this process, with one bucket. */
export interface S3Server {
  endpoint: string;
  bucket: string;
  /** The credentials for processes. The server accepts any. */
  env: Record<string, string>;
  /** A client of the test itself. */
  client: S3Client;
  /** Returns a `FILES_URL`. @param endpoint that of the server by default */
  filesUrl(prefix: string, endpoint?: string): string;
  put(key: string, content: Uint8Array): Promise<void>;
  remove(key: string): Promise<void>;
  stop(): Promise<void>;
}

const BUCKET = 'test-bucket';
const REGION = 'us-east-1';

/**
 * Starts fauxqs, which implements S3 over HTTP, in memory. It cannot list multipart uploads and their parts, so that is added
 * here, from what it has stored.
 */
export async function startS3(): Promise<S3Server> {
  const { S3Store } = await import(new URL('s3/s3Store.js', import.meta.resolve('fauxqs')).href);
  const store = new S3Store() as Store;
  store.createBucket(BUCKET);
  const app = buildApp({ logger: false, stores: { s3Store: store } as never });
  app.addHook('onRequest', async (request, reply) => {
    const query = request.query as Record<string, string | undefined>;
    if (request.method !== 'GET') return;
    const uploads = [...store.multipartUploads.values()];
    if ('uploads' in query) {
      const found = uploads.filter(({ key }) => key.startsWith(query.prefix ?? ''));
      await reply.type('application/xml').send(listUploads(found));
    } else if (query.uploadId) {
      const upload = uploads.find(({ uploadId }) => uploadId === query.uploadId);
      await reply.type('application/xml').send(listParts([...(upload?.parts.values() ?? [])]));
    }
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const endpoint = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  const env = { AWS_ACCESS_KEY_ID: 'AKIATESTTESTTEST', AWS_SECRET_ACCESS_KEY: 'a secret key for the tests' };
  Object.assign(process.env, env);
  const client = new S3Client({ endpoint, region: REGION, forcePathStyle: true });
  return {
    endpoint,
    bucket: BUCKET,
    env,
    client,
    filesUrl: (prefix, at = endpoint) => `s3://${BUCKET}/${prefix}?endpoint=${at}&region=${REGION}`,
    async put(key, content) {
      await client.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: content }));
    },
    async remove(key) {
      await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: key }));
    },
    async stop() {
      client.destroy();
      app.server.closeAllConnections();
      const closed = once(app.server, 'close');
      await app.close();
      await closed;
    },
  };
}

const xml = (root: string, items: string[]): string =>
  `<?xml version="1.0"?><${root}><IsTruncated>false</IsTruncated>${items.join('')}</${root}>`;

const listUploads = (uploads: OpenUpload[]): string =>
  xml(
    'ListMultipartUploadsResult',
    uploads.map(
      ({ key, uploadId, initiated }) =>
        `<Upload><Key>${key}</Key><UploadId>${uploadId}</UploadId><Initiated>${initiated.toISOString()}</Initiated></Upload>`,
    ),
  );

const listParts = (parts: Array<{ partNumber: number; body: Buffer; lastModified: Date }>): string =>
  xml(
    'ListPartsResult',
    parts.map(
      ({ partNumber, body, lastModified }) =>
        `<Part><PartNumber>${partNumber}</PartNumber><Size>${body.length}</Size><LastModified>${lastModified.toISOString()}</LastModified></Part>`,
    ),
  );
