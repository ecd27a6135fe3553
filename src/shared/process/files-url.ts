/** The place of the files in a bucket: the parts of `FILES_URL`. */
export interface S3Place {
  bucket: string;
  /** What every key begins with: empty, or ends with a slash. */
  prefix: string;
  /** The address of the server. Without one, the endpoint of AWS. */
  endpoint: string | undefined;
  /** Without one, that of the AWS SDK, or `us-east-1` if there is an endpoint. */
  region: string | undefined;
  /** Whether the bucket is in the path of requests, not in the host name. Most servers other than AWS need that. */
  pathStyle: boolean;
}

const OPTIONS = ['endpoint', 'region', 'path-style'];
/** AWS' rules for buckets, with the upper case and underscores that other servers allow. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/;
const CREDENTIALS =
  'must not contain credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a role or a profile';

class Mistake extends Error {}

/** Returns what is wrong with a `FILES_URL`, without quoting it: it may contain a secret. `undefined` if nothing is. */
export function filesUrlMistake(text: string): string | undefined {
  try {
    parse(text);
    return undefined;
  } catch (error) {
    if (error instanceof Mistake) return error.message;
    throw error;
  }
}

/** Parses a valid `FILES_URL`: `s3://bucket/prefix?endpoint=https://host&region=name&path-style=true`. */
export const parseFilesUrl = (text: string): S3Place => parse(text);

/** Returns a place for messages. */
export const describePlace = ({ bucket, prefix, endpoint }: S3Place): string =>
  `s3://${bucket}/${prefix}${endpoint ? ` at ${endpoint}` : ''}`;

function parse(text: string): S3Place {
  if (!/^s3:\/\//.test(text))
    throw new Mistake('must be s3://bucket/prefix (or empty: files are in FILES_DIR)');
  if (/^s3:\/\/[^/?#]*@/.test(text)) throw new Mistake(CREDENTIALS);
  if (!URL.canParse(text)) throw new Mistake('is not a valid URL: s3://bucket/prefix?endpoint=…&region=…');
  const url = new URL(text);
  for (const name of url.searchParams.keys()) {
    if (/key|secret|token|password|credential/i.test(name)) throw new Mistake(CREDENTIALS);
    if (!OPTIONS.includes(name)) throw new Mistake(`has an unknown option; known are ${OPTIONS.join(', ')}`);
    if (url.searchParams.getAll(name).length > 1) throw new Mistake(`has the option ${name} twice`);
  }
  if (url.hash) throw new Mistake('must not have a # (write it as %23)');
  if (url.port)
    throw new Mistake('names a bucket, not a server: add the server as ?endpoint=https://host:port');
  if (!BUCKET.test(url.hostname)) throw new Mistake('has no valid bucket: 3 to 63 of a-z, 0-9, "." and "-"');
  const endpoint = url.searchParams.get('endpoint') ?? undefined;
  if (endpoint !== undefined) checkEndpoint(endpoint);
  const region = url.searchParams.get('region') ?? undefined;
  if (region !== undefined && !/^[A-Za-z0-9-]{1,60}$/.test(region))
    throw new Mistake('has an invalid region');
  return {
    bucket: url.hostname,
    prefix: prefixOf(url.pathname),
    endpoint,
    region,
    pathStyle: pathStyleOf(url.searchParams.get('path-style'), endpoint),
  };
}

function prefixOf(pathname: string): string {
  let path: string;
  try {
    path = decodeURIComponent(pathname).replace(/^\/|\/$/g, '');
  } catch {
    throw new Mistake('has a prefix with an invalid % code');
  }
  if (path === '') return '';
  const isPlain = path.split('/').every((part) => !['', '.', '..'].includes(part));
  // A key has at most 1,024 bytes, and an id and a name follow.
  if (!isPlain || /\p{Cc}/u.test(path) || Buffer.byteLength(path) > 800) {
    throw new Mistake('has an invalid prefix: up to 800 bytes, without empty parts, "." and ".."');
  }
  return `${path}/`;
}

function checkEndpoint(endpoint: string): void {
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint)) {
    throw new Mistake('has an invalid endpoint: it must be http://host or https://host');
  }
  const { username, password, search, hash } = new URL(endpoint);
  if (username || password) throw new Mistake(CREDENTIALS);
  if (search || hash) throw new Mistake('has an endpoint with "?" or "#"');
}

function pathStyleOf(text: string | null, endpoint: string | undefined): boolean {
  if (text === null) return endpoint !== undefined;
  if (text !== 'true' && text !== 'false')
    throw new Mistake('has an invalid path-style: it must be true or false');
  return text === 'true';
}
