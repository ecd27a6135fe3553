/** Where Redis is, from a `REDIS_URL`. Names of fields are those of ioredis. */
export interface RedisAddress {
  /** One server. */
  host?: string;
  port?: number;
  family?: 4 | 6;
  /** The socket of one server. */
  path?: string;
  /** The Sentinels that name the master, and its name. */
  sentinels?: Array<{ host: string; port: number }>;
  name?: string;
  /** Nodes of a Redis Cluster. Those that are named here lead to the others. */
  nodes?: Array<{ host: string; port: number }>;
  /** The user of the server, of the master that the Sentinels name, or of each node of a Cluster. */
  username?: string;
  password?: string;
  db: number;
  /** Whether the connections to the server, and to the Sentinels, are encrypted. */
  tls: boolean;
}

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;
const FORM =
  'must be redis://, rediss:// (TLS), unix: with the path of a socket, redis+sentinel:// with the addresses of Sentinels and the name of a master, or redis+cluster:// with the addresses of nodes';
const ESCAPES =
  'special characters in the user name and the password must be percent-encoded: "@" is %40, "/" is %2F, "#" is %23, "%" is %25';

/**
 * Parses a `REDIS_URL`:
 *
 * - `redis://[user:password@]host[:6379][/db][?family=4|6]`, and `rediss://` with TLS
 * - `unix:/path` or `unix://[user:password@]/path`, with `?db=` at the end
 * - `redis+sentinel://[user:password@]host[:26379],…/master[/db]`, and `rediss+sentinel://` with TLS
 * - `redis+cluster://[user:password@]host[:6379],…`, and `rediss+cluster://` with TLS
 *
 * @throws TypeError that says what is wrong. The message does not contain the URL, which may have a password.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const scheme = /^[a-z+]+(?=:)/.exec(url)?.[0];
  switch (scheme) {
    case 'redis':
    case 'rediss':
      return parseServer(url, scheme === 'rediss');
    case 'unix':
      return parseSocket(url);
    case 'redis+sentinel':
    case 'rediss+sentinel':
      return parseSentinels(url, scheme === 'rediss+sentinel');
    case 'redis+cluster':
    case 'rediss+cluster':
      return parseNodes(url, scheme === 'rediss+cluster');
    default:
      throw new TypeError(FORM);
  }
}

function parseServer(url: string, tls: boolean): RedisAddress {
  const [whole, userInfo, hosts = '', path = '', query = ''] =
    /^rediss?:\/\/(?:([^/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/.exec(url) ?? [];
  if (hosts.includes(',')) {
    throw new TypeError(
      'must name one server. Several nodes of a Redis Cluster: redis+cluster://host,host. Several Sentinels: redis+sentinel://host,host/<name of the master>',
    );
  }
  const server = parseHost(hosts || 'localhost', REDIS_PORT);
  if (whole === undefined || !server) throw new TypeError(`is not a valid URL: ${ESCAPES}`);
  const { db = path, family, ...others } = Object.fromEntries(new URLSearchParams(query));
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new TypeError(`must not have "?${unknown}=". Parameters are db and family; TLS has settings`);
  }
  if (family !== undefined && family !== '4' && family !== '6') throw new TypeError('family must be 4 or 6');
  return {
    ...server,
    ...(family ? { family: Number(family) as 4 | 6 } : {}),
    ...parseUser(userInfo),
    db: parseDb(db),
    tls,
  };
}

/** A path is taken as it is written, because a folder may have any name. */
function parseSocket(url: string): RedisAddress {
  const [, userInfo, path, db = ''] =
    /^unix:(?:\/\/(?:([^/]*)@)?(?=\/))?(.+?)(?:\?db=(\d*))?$/.exec(url) ?? [];
  if (!path || /^\/*$/.test(path))
    throw new TypeError('must have the path of a socket: unix:/run/redis/redis.sock');
  return { path, ...parseUser(userInfo), db: parseDb(db), tls: false };
}

function parseSentinels(url: string, tls: boolean): RedisAddress {
  const [, userInfo, hosts = '', name = '', db = ''] =
    /^rediss?\+sentinel:\/\/(?:([^/?#]*)@)?([^/?#]*)(?:\/([^/?#]*))?(?:\/([^/?#]*))?$/.exec(url) ?? [];
  const sentinels = hosts.split(',').map((host) => parseHost(host, SENTINEL_PORT));
  if (!sentinels.every((sentinel) => sentinel !== undefined)) {
    throw new TypeError(
      `must be redis+sentinel://[user:password@]host:26379,host:26379/<name of the master>[/db]; ${ESCAPES}`,
    );
  }
  if (name === '') {
    throw new TypeError(
      'must have the name of the master after the Sentinels: redis+sentinel://host/mymaster',
    );
  }
  return { sentinels, name: decode(name), ...parseUser(userInfo), db: parseDb(db), tls };
}

function parseNodes(url: string, tls: boolean): RedisAddress {
  const [, userInfo, hosts = ''] = /^rediss?\+cluster:\/\/(?:([^/?#]*)@)?([^/?#]*)\/?$/.exec(url) ?? [];
  const nodes = hosts.split(',').map((host) => parseHost(host, REDIS_PORT));
  if (!nodes.every((node) => node !== undefined)) {
    throw new TypeError(
      `must be redis+cluster://[user:password@]host:6379,host:6379 without a database, because a Redis Cluster has one; ${ESCAPES}`,
    );
  }
  return { nodes, ...parseUser(userInfo), db: 0, tls };
}

/** Parses `host` or `host:port`; an IPv6 address is in brackets. */
function parseHost(text: string, defaultPort: number): { host: string; port: number } | undefined {
  if (!URL.canParse(`redis://${text}`)) return undefined;
  const { hostname, port, pathname, search, hash, username, password } = new URL(`redis://${text}`);
  if (hostname === '' || pathname || search || hash || username || password) return undefined;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? defaultPort : Number(port) };
}

function parseUser(userInfo: string | undefined): Pick<RedisAddress, 'username' | 'password'> {
  if (!userInfo) return {};
  const [username = '', ...password] = userInfo.split(':');
  return {
    ...(username ? { username: decode(username) } : {}),
    ...(password.length > 0 ? { password: decode(password.join(':')) } : {}),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError(`has a "%" that is not followed by two hexadecimal digits: ${ESCAPES}`);
  }
}

function parseDb(text: string): number {
  if (!/^\d{0,6}$/.test(text)) throw new TypeError('the database must be a number: redis://host:6379/0');
  return Number(text);
}
