import { readFileSync } from 'node:fs';
import type { Finding } from './records.js';
import type { Service } from './service.js';

const EVERY_MS = 2000;
/** Growth that counts as flat: the memory of a process varies with what it is doing. */
const MOST_GROWTH = 1.15;
const MOST_GROWTH_BYTES = 16 * 1024 * 1024;
/** A process that lived for a shorter time was still warming up. */
const LEAST_SAMPLES = 150;

/** The memory of one process, in bytes: medians of the second and of the last quarter of its life. */
export interface MemorySeries {
  name: string;
  samples: number;
  early: number;
  late: number;
  most: number;
}

/** Records the memory of Redis and of every process that is never stopped or killed. */
export interface MemoryWatch {
  stop(): MemorySeries[];
}

export function watchMemory(service: Service): MemoryWatch {
  const all = new Map<string, number[]>();
  const add = (name: string, bytes: number | undefined): void => {
    if (bytes !== undefined) all.set(name, [...(all.get(name) ?? []), bytes]);
  };
  const timer = setInterval(() => {
    for (const { name, lasting, pid } of [...service.apis, ...service.workers]) {
      if (lasting) add(name, residentBytes(pid()));
    }
    service.redis.admin.info('memory').then(
      (info) => add('redis', Number(/^used_memory:(\d+)/m.exec(info)?.[1])),
      // Redis is away at this moment.
      () => {},
    );
  }, EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      return [...all].map(([name, bytes]) => ({
        name,
        samples: bytes.length,
        early: median(bytes.slice(bytes.length / 4, bytes.length / 2)),
        late: median(bytes.slice((bytes.length * 3) / 4)),
        most: Math.max(...bytes),
      }));
    },
  };
}

/** Returns a finding for each process whose memory grew. */
export const checkMemory = (series: readonly MemorySeries[]): Finding[] =>
  series
    .filter(
      ({ samples, early, late }) =>
        samples >= LEAST_SAMPLES && late > early * MOST_GROWTH && late - early > MOST_GROWTH_BYTES,
    )
    .map((one) => ({ kind: 'growing-memory', subject: one.name, text: memoryLine(one), at: Date.now() }));

export const memoryLine = ({ name, early, late, most }: MemorySeries): string =>
  `${name}: ${mib(early)} MiB in the second quarter, ${mib(late)} in the last, at most ${mib(most)}`;

const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Returns the memory of a process. Linux only; elsewhere memory is not checked. */
function residentBytes(pid: number | undefined): number | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
