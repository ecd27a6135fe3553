import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ListMultipartUploadsCommandOutput, S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { HeadwayError } from '../../errors.js';
import { storageDuration, storageRequests } from '../../metrics/process-metrics.js';
import type { S3Place } from '../../process/files-url.js';
import { loadOptional } from '../../process/optional-packages.js';
import { hideInLogs } from '../../process/redact.js';
import { serverNow } from '../../redis/server-clock.js';
import { damaged, removed } from '../content.js';
import type { ByteRange } from '../contract.js';
import { asStorageError, isNotImplemented, statusOf } from './faults.js';

type Sdk = typeof import('@aws-sdk/client-s3');

/** An object of the bucket. The key is without the prefix of the place. */
export interface StoredObject {
  key: string;
  size: number;
  /** By the clock of the storage, in ms since 1970. */
  modifiedAt: number;
}

/** A multipart upload that was begun, and neither completed nor aborted. */
export interface OpenUpload {
  key: string;
  uploadId: string;
}

/**
 * The calls that Headway makes to a bucket. Keys are without the prefix of the place. Each call has a time limit, is repeated
 * by the SDK, and is counted for the metrics.
 *
 * All of them reject with `unavailable` (see `faults.ts`).
 */
export interface Bucket {
  /** Lists the objects whose keys begin with `start`, in the order of their keys. */
  list(start: string): AsyncGenerator<StoredObject>;
  /** Makes the shortest call that needs the bucket and the right to use it. */
  ping(): Promise<void>;
  put(key: string, text: string): Promise<void>;
  /** Returns the text of a small object; `undefined` if there is none. */
  text(key: string): Promise<string | undefined>;
  /**
   * Returns the bytes of an object. A connection that is lost is replaced, and reading goes on where it had stopped.
   * @param size the size of the object
   * @throws HeadwayError `gone` if there is no such object; `file-damaged` if it has another size
   */
  bytes(key: string, size: number, range?: ByteRange): AsyncGenerator<Buffer>;
  /** Stores a stream as an object, in parts if it is large. @param maxBytes an upper bound of its length */
  upload(key: string, content: Readable, maxBytes: number): Promise<void>;
  /** Removes an object, if there is one. */
  remove(key: string): Promise<void>;
  /** Begins a multipart upload. */
  beginUpload(key: string): Promise<OpenUpload>;
  /** Lists the open uploads whose keys begin with `start`: none if the server cannot list them. */
  openUploads(start: string): AsyncGenerator<OpenUpload & { begunAt: number }>;
  /** Returns when the newest part of an upload was stored, in ms since 1970 by the clock of the storage; 0 if it has none. */
  newestPart(upload: OpenUpload): Promise<number>;
  abort(upload: OpenUpload): Promise<void>;
  /** Returns the time of the storage's clock, in ms since 1970. */
  now(): number;
}

/** Time limits, in ms. For the connection; for one try of a small call; for one try with a part; between two chunks. */
const CONNECT_MS = 3000;
const CALL_MS = 5000;
const PART_MS = 60_000;
const CHUNK_MS = 20_000;
/** How often a call is tried. The waits between the tries add up to less than a second, or to about a minute. */
const TRIES = 3;
const PATIENT_TRIES = 10;
/** How often reading goes on after a lost connection without a byte in between. */
const READ_TRIES = 4;

/** The names of the calls in the metrics, whose series begin at 0. */
const OPERATIONS = ['list', 'get', 'put', 'upload', 'delete', 'list-uploads'];

/** An upload keeps two parts in memory while the next one is read. S3 takes at most 10,000 parts, of 5 MiB or more. */
const MIN_PART_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;
const PARTS_AT_ONCE = 2;

/** Returns the size of the parts of an upload of up to `maxBytes`. */
export const partBytes = (maxBytes: number): number =>
  Math.max(MIN_PART_BYTES, Math.ceil(maxBytes / MAX_PARTS));

/** Opens a bucket. The SDK is loaded for the first call: most installations do without. */
export function openBucket(place: S3Place, { patient }: { patient: boolean }): Bucket {
  const { bucket: Bucket, prefix } = place;
  for (const operation of OPERATIONS) {
    for (const outcome of ['ok', 'failed']) storageRequests.at(operation, outcome);
  }
  let opened: Promise<{ sdk: Sdk; client: S3Client }> | undefined;
  /** By how much the clock of the storage differs from that of Redis, in ms. */
  let ahead = 0;

  function open(): Promise<{ sdk: Sdk; client: S3Client }> {
    opened ??= loadOptional('bucket', () => import('@aws-sdk/client-s3')).then((sdk) => {
      const client = new sdk.S3Client(clientConfig(place, patient));
      client.middlewareStack.add(
        (next) => async (args) => {
          const result = await next(args);
          const { headers } = result.response as { headers?: Record<string, string> };
          const date = Date.parse(headers?.date ?? '');
          if (!Number.isNaN(date)) ahead = date - serverNow();
          return result;
        },
        { step: 'deserialize', name: 'headwayStorageClock' },
      );
      return { sdk, client };
    });
    return opened;
  }

  /** Makes one call. @param missing returned if there is no such object */
  async function call<T>(
    operation: string,
    work: (client: S3Client, sdk: Sdk, limit: { requestTimeout: number }) => Promise<T>,
    missing?: { value: T },
  ): Promise<T> {
    const begun = performance.now();
    let outcome = 'ok';
    try {
      const { sdk, client } = await open();
      return await work(client, sdk, { requestTimeout: CALL_MS });
    } catch (error) {
      if (missing && isMissingObject(error)) return missing.value;
      outcome = 'failed';
      throw asStorageError(error, operation, place);
    } finally {
      storageRequests.at(operation, outcome).value++;
      storageDuration.at(operation).observe((performance.now() - begun) / 1000);
    }
  }

  const at = (key: string) => ({ Bucket, Key: prefix + key });
  const shorten = (key = ''): string => key.slice(prefix.length);

  async function* list(start: string): AsyncGenerator<StoredObject> {
    let token: string | undefined;
    do {
      const page = await call('list', (client, { ListObjectsV2Command }, limit) =>
        client.send(
          new ListObjectsV2Command({ Bucket, Prefix: prefix + start, ContinuationToken: token }),
          limit,
        ),
      );
      for (const { Key, Size = 0, LastModified } of page.Contents ?? []) {
        yield { key: shorten(Key), size: Size, modifiedAt: LastModified?.getTime() ?? 0 };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** Opens an object for reading. @param range its first and last byte; all without one */
  const get = (key: string, size: number, range?: ByteRange): Promise<Readable> =>
    call('get', async (client, { GetObjectCommand }, limit) => {
      const Range = range && `bytes=${range.start}-${range.end}`;
      const found = await client
        .send(new GetObjectCommand({ ...at(key), ...(Range ? { Range } : {}) }), limit)
        .catch((error) => {
          if (isMissingObject(error)) throw removed();
          throw statusOf(error) === 416 ? damaged() : error;
        });
      const body = found.Body as Readable;
      const total = range ? /\/(\d+)$/.exec(found.ContentRange ?? '')?.[1] : found.ContentLength;
      if (Number(total) === size) return body;
      body.destroy();
      throw damaged();
    });

  async function* bytes(key: string, size: number, range?: ByteRange): AsyncGenerator<Buffer> {
    let next = range?.start ?? 0;
    const end = range?.end ?? size - 1;
    for (let failures = 0; ; failures++) {
      try {
        const rest = next === 0 && !range ? undefined : { start: next, end };
        for await (const chunk of inTime(await get(key, size, rest))) {
          next += chunk.length;
          failures = 0;
          yield chunk;
        }
        if (next > end) return;
        throw new Error('the connection ended too early');
      } catch (error) {
        // The SDK has tried what fails before the first byte again.
        const isFinal = error instanceof HeadwayError || failures >= READ_TRIES;
        if (isFinal) throw asStorageError(error, 'get', place);
      }
      await delay(100 * 2 ** failures);
    }
  }

  return {
    list,
    bytes,
    async ping() {
      await call('list', (client, { ListObjectsV2Command }, limit) =>
        client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, MaxKeys: 1 }), limit),
      );
    },
    async put(key, text) {
      await call('put', (client, { PutObjectCommand }, limit) =>
        client.send(
          new PutObjectCommand({ ...at(key), Body: text, ContentLength: Buffer.byteLength(text) }),
          limit,
        ),
      );
    },
    text: (key) =>
      call<string | undefined>(
        'get',
        async (client, { GetObjectCommand }, limit) => {
          const { Body } = await client.send(new GetObjectCommand(at(key)), limit);
          return Body?.transformToString();
        },
        { value: undefined },
      ),
    async upload(key, content, maxBytes) {
      await call('upload', async (client) => {
        const { Upload } = await loadOptional('bucket', () => import('@aws-sdk/lib-storage'));
        return new Upload({
          client,
          params: { ...at(key), Body: content },
          partSize: partBytes(maxBytes),
          queueSize: PARTS_AT_ONCE,
        }).done();
      });
    },
    async remove(key) {
      await call('delete', (client, { DeleteObjectCommand }, limit) =>
        client.send(new DeleteObjectCommand(at(key)), limit),
      );
    },
    async beginUpload(key) {
      const { UploadId = '' } = await call('upload', (client, { CreateMultipartUploadCommand }, limit) =>
        client.send(new CreateMultipartUploadCommand(at(key)), limit),
      );
      return { key, uploadId: UploadId };
    },
    async *openUploads(start) {
      let markers: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
      while (markers) {
        const from: { KeyMarker?: string; UploadIdMarker?: string } = markers;
        type Page = ListMultipartUploadsCommandOutput | undefined;
        const page = await call<Page>('list-uploads', (client, { ListMultipartUploadsCommand }, limit) =>
          client
            .send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix + start, ...from }), limit)
            .catch((error) => {
              if (isNotImplemented(error)) return undefined;
              throw error;
            }),
        );
        for (const { Key, UploadId = '', Initiated } of page?.Uploads ?? []) {
          yield { key: shorten(Key), uploadId: UploadId, begunAt: Initiated?.getTime() ?? 0 };
        }
        const { NextKeyMarker, NextUploadIdMarker } = page ?? {};
        markers =
          page?.IsTruncated && NextKeyMarker
            ? {
                KeyMarker: NextKeyMarker,
                ...(NextUploadIdMarker ? { UploadIdMarker: NextUploadIdMarker } : {}),
              }
            : undefined;
      }
    },
    async newestPart({ key, uploadId: UploadId }) {
      let newest = 0;
      let marker: string | undefined;
      do {
        const page = await call(
          'list-uploads',
          (client, { ListPartsCommand }, limit) =>
            client.send(new ListPartsCommand({ ...at(key), UploadId, PartNumberMarker: marker }), limit),
          // It was completed meanwhile.
          { value: undefined },
        );
        for (const { LastModified } of page?.Parts ?? []) {
          newest = Math.max(newest, LastModified?.getTime() ?? 0);
        }
        marker = page?.IsTruncated ? page.NextPartNumberMarker : undefined;
      } while (marker !== undefined);
      return newest;
    },
    async abort({ key, uploadId: UploadId }) {
      await call<unknown>(
        'upload',
        (client, { AbortMultipartUploadCommand }, limit) =>
          client.send(new AbortMultipartUploadCommand({ ...at(key), UploadId }), limit),
        { value: undefined },
      );
    },
    now: () => serverNow() + ahead,
  };
}

function clientConfig({ endpoint, region, pathStyle }: S3Place, patient: boolean): S3ClientConfig {
  // package.json asks for a version of the SDK that works with every Node that Headway works with.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const { AWS_REGION, AWS_DEFAULT_REGION, AWS_SECRET_ACCESS_KEY = '', AWS_SESSION_TOKEN = '' } = process.env;
  hideInLogs(AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN);
  const fallback = endpoint && !AWS_REGION ? AWS_DEFAULT_REGION || 'us-east-1' : undefined;
  const chosen = region ?? fallback;
  // A download occupies a connection until its client has read everything, so their number has no limit.
  const agent = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY };
  return {
    ...(endpoint ? { endpoint } : {}),
    ...(chosen ? { region: chosen } : {}),
    forcePathStyle: pathStyle,
    maxAttempts: patient ? PATIENT_TRIES : TRIES,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: PART_MS,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
    // The SHA-256 of the file is checked instead, on every server.
    responseChecksumValidation: 'WHEN_REQUIRED',
  };
}

/** Whether there is no such object or upload. A missing bucket is another error. */
const isMissingObject = (error: unknown): boolean =>
  ['NoSuchKey', 'NotFound', 'NoSuchUpload'].includes((error as Error).name);

/** Ends a body that sends nothing for too long while we wait for it. While the reader is busy, no time passes. */
async function* inTime(body: Readable): AsyncGenerator<Buffer> {
  let waits = true;
  const timer: NodeJS.Timeout = setTimeout(() => {
    if (waits) body.destroy(new Error(`no data for ${CHUNK_MS / 1000} s`));
    else timer.refresh();
  }, CHUNK_MS);
  try {
    for await (const chunk of body) {
      waits = false;
      yield chunk as Buffer;
      waits = true;
      timer.refresh();
    }
  } finally {
    clearTimeout(timer);
  }
}
