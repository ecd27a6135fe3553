/** Headway for Vue 3: composables for live jobs and channels, a component, a plugin. */
import type { App } from 'vue';
import { type Client, type ClientOptions, createClient } from '../client.js';
import type { Labels } from '../labels/types.js';
import type { AnyClient } from '../store.js';
import { JobProgress } from './job-progress.js';
import { createSse, type Sse, type SseClient } from './sse.js';
import { clientKey, labelsKey } from './use.js';

export type { Labels } from '../labels/types.js';
export type { WatchedChannel, WatchedJob } from '../view.js';
export { JobProgress, type JobProgressProps } from './job-progress.js';
export type { Sse, SseClient, SseConfig, SseFormat } from './sse.js';
export {
  type UsedChannel,
  type UsedJob,
  type UseJobOptions,
  useChannel,
  useHeadway,
  useJob,
} from './use.js';

export interface HeadwayPluginOptions extends ClientOptions {
  /** An existing client, to use instead of creating one from the other options. */
  client?: AnyClient;
  /** The words of `<JobProgress>`, such as those of `headway-client/labels/de`. English words replace missing ones. */
  labels?: Partial<Labels>;
  /**
   * Adds `this.$sse.create(…)` to components, as vue-sse does. The streams of a component with `sse: {cleanup: true}`
   * are disconnected when it is unmounted. Defaults to `false`.
   */
  sse?: boolean;
}

/**
 * `app.use(headway, {url, token})` provides the client of all composables, `$headway` in templates, `<JobProgress>`,
 * and with `sse: true` a `$sse` compatible with vue-sse.
 */
export const headway = {
  install(app: App, { client, labels, sse, ...options }: HeadwayPluginOptions = {}): void {
    const used = client ?? createClient(options);
    app.provide(clientKey, used);
    if (labels) app.provide(labelsKey, labels);
    app.config.globalProperties.$headway = used;
    app.component('JobProgress', JobProgress);
    if (!sse) return;
    const streams = createSse(options, options.silenceMs);
    app.config.globalProperties.$sse = streams;
    const made = new WeakMap<object, SseClient[]>();
    app.mixin({
      beforeCreate(this: { $options: { sse?: { cleanup?: boolean } }; $sse: Sse }) {
        if (!this.$options.sse?.cleanup) return;
        const own: SseClient[] = [];
        made.set(this, own);
        this.$sse = {
          create(config) {
            const stream = streams.create(config);
            own.push(stream);
            return stream;
          },
        };
      },
      beforeUnmount(this: object) {
        for (const stream of made.get(this) ?? []) stream.disconnect();
      },
    });
  },
};

declare module 'vue' {
  interface ComponentCustomProperties {
    $headway: Client;
    /** Available with the plugin's option `sse`. */
    $sse: Sse;
  }
  interface GlobalComponents {
    JobProgress: typeof JobProgress;
  }
  interface ComponentCustomOptions {
    sse?: { cleanup?: boolean };
  }
}
