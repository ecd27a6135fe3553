import type { Redis } from 'ioredis';

/** The keys of Redis of one kind. */
export interface Holding {
  /** A key in which everything that differs between two keys of the kind is `*`. */
  kind: string;
  keys: number;
  bytes: number;
}

/** Ids: UUIDs, numbers, and long hexadecimal digests. */
const VARIES = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|[0-9a-f]{24,}|\d+/g;

/** Returns what takes memory in Redis, the most first. */
export async function holdings(redis: Redis): Promise<Holding[]> {
  const kinds = new Map<string, Holding>();
  for await (const page of redis.scanStream({ count: 1000 }) as AsyncIterable<string[]>) {
    await Promise.all(
      page.map(async (key) => {
        const bytes = (await redis.memory('USAGE', key)) ?? 0;
        const kind = key.replace(VARIES, '*');
        const holding = kinds.get(kind) ?? { kind, keys: 0, bytes: 0 };
        kinds.set(kind, holding);
        holding.keys++;
        holding.bytes += bytes;
      }),
    );
  }
  return [...kinds.values()].sort((a, b) => b.bytes - a.bytes);
}

export const holdingLine = ({ kind, keys, bytes }: Holding): string =>
  `${(bytes / 1024 / 1024).toFixed(1)} MiB in ${keys} keys ${kind}`;
