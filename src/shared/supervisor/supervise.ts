import type { ChildProcess } from 'node:child_process';
import { mergeMetrics } from '../metrics/merge.js';
import { processCrashes } from '../metrics/process-metrics.js';
import { type Exported, readMetrics, renderMetrics, type Scrape } from '../metrics/registry.js';
import { serveMetrics } from '../metrics/server.js';
import type { Config } from '../process/config.js';
import { createLogger } from '../process/log.js';
import { announce, onShutdown, requestStop } from '../process/main.js';
import { processCount } from '../process/process-settings.js';
import { CLOSE_MS } from '../process/stop-settings.js';
import { watchTerminal } from '../process/terminal.js';
import { argumentsFor } from './number.js';
import { Supervisor } from './supervisor.js';

/** The supervisor's own number, in logs and metrics. Its processes count from 1. */
const OWN_NUMBER = 0;
/** How much longer than its own deadline a process may take to exit until it is killed, in ms. */
const REACTION_MS = 500;

export interface SuperviseOptions {
  role: 'api' | 'worker';
  /** `API_PROCESSES` or `WORKER_PROCESSES`. */
  processes: number | 'max';
  config: Config;
  /** How long a process takes to stop at most, in ms, besides `CLOSE_MS`: see `onShutdown`. */
  stopMs: number;
  /** The same for a process that another one has replaced. */
  retireMs: number;
  /** Starts the program of this process again, with other arguments. */
  fork(args: string[]): ChildProcess;
}

/**
 * Runs the processes of a program until this process is asked to stop. SIGHUP replaces them one at a time. A supervisor that is
 * killed leaves none of them: they notice it and stop.
 */
export async function supervise(options: SuperviseOptions): Promise<void> {
  const { role, processes, config, stopMs, retireMs, fork } = options;
  const lostTerminal = watchTerminal();
  const count = processCount(processes);
  const log = createLogger(config, role, OWN_NUMBER);
  const supervisor = new Supervisor({
    count,
    fork: (number) => fork(argumentsFor(number)),
    stopMs: stopMs + CLOSE_MS + REACTION_MS,
    retireMs: retireMs + CLOSE_MS + REACTION_MS,
    answers: { scrape: (accept) => scrapeAll(supervisor, accept as string | undefined) },
    log,
  });
  process.on('exit', () => supervisor.kill());
  process.on('SIGHUP', () => void onHangUp());
  onShutdown(
    log,
    () => stopMs + 2 * REACTION_MS,
    () => supervisor.stop(),
  );

  async function onHangUp(): Promise<void> {
    if (await lostTerminal()) return requestStop('terminal closed');
    // They open the file of the audit log again, also if the restart fails.
    supervisor.signal('SIGHUP');
    supervisor.restart();
  }

  const { METRICS_HOST: host, METRICS_PORT: port } = config;
  const metrics =
    port === 'off'
      ? undefined
      : await serveMetrics({
          host,
          port: port === '' ? undefined : port,
          read: (accept) => scrapeAll(supervisor, accept),
          log,
        });
  void supervisor.start().then((report) => {
    if (!report) return;
    const url = 'url' in report ? { url: report.url } : {};
    log.info({ ...url, processes: count }, 'all processes are up');
    announce({ ...report, metrics: metrics?.url });
  });
  const code = await supervisor.failed;
  await supervisor.stop();
  process.exit(code);
}

/** Returns the metrics of all processes, and those of the supervisor that are about itself. */
async function scrapeAll(supervisor: Supervisor, accept: string | undefined): Promise<Scrape> {
  const [parts, own] = await Promise.all([supervisor.metrics(), readMetrics()]);
  if (parts.length === 0) throw new Error('No process reports its metrics');
  return renderMetrics(mergeMetrics([{ process: OWN_NUMBER, metrics: own.filter(isOwn) }, ...parts]), accept);
}

/** Whether a metric is about the supervisor: its crashes, and what prom-client counts of each process. */
const isOwn = ({ name }: Exported): boolean => name === processCrashes.name || !name.startsWith('headway_');
