import { readMetrics, type Scrape } from '../metrics/registry.js';
import type { Config } from '../process/config.js';
import { REPLACED, requestStop } from '../process/main.js';
import { Peer } from './peer.js';

/** How long the supervisor has to collect the metrics of all processes, in ms. */
const SCRAPE_MS = 5000;

/** The supervisor of this process. */
export interface OwnSupervisor {
  /** Returns the metrics of all processes under the supervisor. @throws Error if it does not answer */
  scrape(accept: string | undefined): Promise<Scrape>;
}

/** Serves the requests of the supervisor. Called before anything else is opened. */
export async function joinSupervisor(): Promise<OwnSupervisor> {
  // From a closed terminal, the signal reaches all processes. The supervisor decides what it means.
  process.on('SIGHUP', () => {});
  // A process of node:cluster would exit at once when its supervisor is gone, without a word to its viewers.
  const { default: cluster } = await import('node:cluster');
  if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
  const supervisor = new Peer(process, {
    metrics: readMetrics,
    retire() {
      requestStop(REPLACED);
      return true;
    },
  });
  return {
    async scrape(accept) {
      const scrape = await supervisor.ask('scrape', accept, SCRAPE_MS);
      if (!scrape) throw new Error('The supervisor does not answer');
      return scrape as Scrape;
    },
  };
}

/** Returns the configuration of a process under a supervisor, which serves the metrics of all its processes on one port. */
export const supervisedConfig = (config: Config): Config => ({ ...config, METRICS_PORT: 'off' });
