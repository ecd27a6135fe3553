import { describe, expect, it } from 'vitest';
import { describePlace, filesUrlMistake, parseFilesUrl } from '../../../src/shared/process/files-url.js';

describe('FILES_URL', () => {
  it.each([
    [
      's3://bucket',
      { bucket: 'bucket', prefix: '', endpoint: undefined, region: undefined, pathStyle: false },
    ],
    ['s3://my.bucket-1/a/b%20c/', { bucket: 'my.bucket-1', prefix: 'a/b c/' }],
    [
      's3://b-1/p?endpoint=http://127.0.0.1:9000&region=eu-central-1',
      { prefix: 'p/', endpoint: 'http://127.0.0.1:9000', region: 'eu-central-1', pathStyle: true },
    ],
    [
      's3://Bucket/?endpoint=https%3A%2F%2Fhost%2Fs3&path-style=false',
      { bucket: 'Bucket', pathStyle: false },
    ],
  ])('%s is understood', (url, place) => {
    expect(filesUrlMistake(url)).toBeUndefined();
    expect(parseFilesUrl(url)).toMatchObject(place);
    expect(describePlace(parseFilesUrl(url))).toMatch(/^s3:\/\//);
  });

  it.each([
    ['https://bucket.s3.amazonaws.com/', 'must be s3://'],
    ['s3:bucket', 'must be s3://'],
    ['s3://', 'bucket'],
    ['s3://ab', 'bucket'],
    ['s3://buck_et!/x', 'bucket'],
    ['s3://host:9000/bucket', 'names a bucket, not a server'],
    ['s3://key:secret@bucket/x', 'credentials'],
    ['s3://key@bucket/x', 'credentials'],
    ['s3://bucket?secretAccessKey=secret', 'credentials'],
    ['s3://bucket?endpoint=http://key:secret@host', 'credentials'],
    ['s3://bucket?endpoint=host:9000', 'endpoint'],
    ['s3://bucket?endpoint=http://host/?secret', 'endpoint'],
    ['s3://bucket?Region=x', 'unknown option'],
    ['s3://bucket?region=a&region=b', 'twice'],
    ['s3://bucket?region=%00secret', 'region'],
    ['s3://bucket?path-style=yes', 'path-style'],
    ['s3://bucket/a//b', 'prefix'],
    ['s3://bucket/%2e%2e%2fa', 'prefix'],
    ['s3://bucket/%zz', 'prefix'],
    [`s3://bucket/${'a'.repeat(900)}`, 'prefix'],
    ['s3://bucket/a#secret', '#'],
  ])('%s is refused without being quoted', (url, text) => {
    const mistake = filesUrlMistake(url);
    expect(mistake).toContain(text);
    expect(mistake).not.toContain('secret');
  });
});
