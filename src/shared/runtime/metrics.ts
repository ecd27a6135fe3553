import { setTimeout as sleep } from 'node:timers/promises';
import { beforeReading } from '../metrics/instruments.js';
import { buildInfo, redisUp } from '../metrics/process-metrics.js';
import { serveMetrics } from '../metrics/server.js';
import { singleFlight } from '../process/every.js';
import { VERSION } from '../process/version.js';
import { isRedisFault } from '../redis/faults.js';
import type { ProcessCore } from './core.js';
import { createInstallationReader } from './installation.js';

/** How long what was read from Redis is used, in ms. */
const FRESH_MS = 1000;
/** How long a scrape waits for Redis, in ms. After that it has the last values. */
const WAIT_MS = 500;

export interface MetricsOptions {
  role: 'api' | 'worker';
  /** Whether the process belongs to another program, which serves its own metrics. */
  embedded: boolean;
}

/** The metrics of a process that are not counted by the code they are about. */
export interface ProcessMetrics {
  /** The address of the metrics, if this process serves them on a port of their own. */
  url: string | undefined;
  close(): void;
}

/** Opens the port of the metrics, and provides what is read when somebody scrapes. */
export async function openMetrics(
  core: ProcessCore,
  { role, embedded }: MetricsOptions,
): Promise<ProcessMetrics> {
  const { config, connection, log } = core;
  const { redis } = connection;
  const installation = role === 'api' ? createInstallationReader(core) : undefined;
  let isUp = true;
  let readAt = Number.NEGATIVE_INFINITY;

  const readNow = singleFlight(async () => {
    await (installation ? installation.read() : redis.ping());
    readAt = performance.now();
    isUp = true;
  });

  async function refresh(): Promise<void> {
    // Commands of a worker wait for Redis.
    if (redis.status !== 'ready') isUp = false;
    else if (performance.now() - readAt > FRESH_MS) {
      const late = sleep(WAIT_MS, 'late', { ref: false });
      const outcome = await Promise.race([readNow(), late]).catch((error: unknown) => {
        log.debug({ err: error }, 'could not read the metrics of the installation');
        return isRedisFault(error) ? 'failed' : undefined;
      });
      if (outcome !== undefined) isUp = false;
    }
  }

  const removals = [
    beforeReading(refresh),
    buildInfo.from(() => [{ labels: [role, VERSION], value: 1 }]),
    redisUp.from(() => [{ labels: [role], value: isUp ? 1 : 0 }]),
  ];
  const { METRICS_HOST: host, METRICS_PORT: port } = config;
  const server =
    embedded || port === 'off'
      ? undefined
      : await serveMetrics({ host, port: port === '' ? undefined : port, log });
  return {
    url: server?.url,
    close() {
      server?.close();
      installation?.close();
      for (const remove of removals) remove();
    },
  };
}
