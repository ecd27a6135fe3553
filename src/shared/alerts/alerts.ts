import { randomUUID } from 'node:crypto';
import { parseForeign } from '../jobs/foreign-json.js';
import type { Keyspace } from '../keyspace.js';
import type { Config } from '../process/config.js';
import { singleFlight } from '../process/every.js';
import type { Logger } from '../process/log.js';
import type { RedisClient } from '../redis/client.js';
import { serverNow } from '../redis/server-clock.js';
import type { AlertState, PendingMessage } from './alert.js';
import { alertKeys } from './keys.js';
import { createMeasure, type MeasureOptions } from './measure.js';
import { alertBody } from './message.js';
import { createSend } from './send.js';
import { claimed, delivered, nextState } from './transition.js';

/** Maximum number of messages that are sent at once. The others follow with the next check. */
const AT_ONCE = 10;

export interface AlertsOptions extends Omit<MeasureOptions, 'config'> {
  config: Config;
  log: Logger;
}

/** Checks the conditions of alerts, and sends messages about them. The state is in Redis, so any process can go on with it. */
export interface Alerts {
  /**
   * Checks the conditions if `ALERT_CHECK_MS` has passed since any process last did. Resolves when the state is stored;
   * messages are sent afterwards, so that a slow receiver delays nothing.
   * @throws the error of the connection
   */
  check(): Promise<void>;
}

/** @returns `undefined` if no URL for alerts is configured */
export function createAlerts(options: AlertsOptions): Alerts | undefined {
  const { redis, keyspace, config, log } = options;
  if (config.ALERT_WEBHOOK_URL === '') return undefined;
  const { states: key, checked } = alertKeys(keyspace);
  const measure = createMeasure(options);
  const send = createSend(config);
  let nextAt = Number.NEGATIVE_INFINITY;

  async function store(states: AlertState[], removed: string[]): Promise<void> {
    await Promise.all([
      states.length > 0
        ? redis.hset(key, Object.fromEntries(states.map((state) => [state.key, JSON.stringify(state)])))
        : undefined,
      removed.length > 0 ? redis.hdel(key, ...removed) : undefined,
    ]);
  }

  async function check(): Promise<void> {
    if (performance.now() < nextAt) return;
    nextAt = performance.now() + config.ALERT_CHECK_MS;
    // Another process may have checked before it lost the lease.
    if ((await redis.set(checked, '1', 'PX', Math.ceil(config.ALERT_CHECK_MS * 0.9), 'NX')) === null) return;
    const [readings, before] = await Promise.all([measure(), readAlerts(redis, keyspace)]);
    const now = serverNow();
    const { ALERT_CHECK_MS: checkMs, ALERT_REPEAT_MS: repeatMs } = config;
    const rules = { checkMs, repeatMs, now, newId: () => `alert_${randomUUID()}` };
    const byKey = new Map(readings.map((reading) => [reading.key, reading]));
    const after = new Map<string, AlertState>();
    const due: AlertState[] = [];
    for (const alert of new Set([...before.keys(), ...byKey.keys()])) {
      let state = nextState(before.get(alert), byKey.get(alert), rules);
      if (!state) continue;
      if (state.pending && state.pending.at <= now && due.length < AT_ONCE) {
        due.push(state);
        state = claimed(state, now, checkMs);
      }
      after.set(alert, state);
    }
    const changed = [...after.values()].filter(
      (state) => JSON.stringify(state) !== JSON.stringify(before.get(state.key)),
    );
    await store(
      changed,
      [...before.keys()].filter((alert) => !after.has(alert)),
    );
    for (const state of due) {
      if (state.pending) void deliver(state, state.pending);
    }
  }

  /** Sends one message. Never rejects: without success, it is tried again at a later check. */
  async function deliver(state: AlertState, message: PendingMessage): Promise<void> {
    const { key: alert, text } = state;
    try {
      await send(message.id, alertBody(state, message, serverNow(), config.PUBLIC_URL));
      log.info({ alert, state: message.what }, text);
    } catch (error) {
      const level = message.tries === 0 ? 'warn' : 'debug';
      return log[level]({ err: error, alert, tries: message.tries + 1 }, 'could not send an alert; retrying');
    }
    try {
      const stored = (await readAlerts(redis, keyspace)).get(alert);
      // Another process may have gone on with the alert.
      if (stored?.pending?.id === message.id) await store([delivered(stored, message.what, serverNow())], []);
    } catch (error) {
      log.warn({ err: error, alert }, 'could not record that an alert was sent; it may be sent again');
    }
  }

  return { check: singleFlight(check) };
}

/** Reads the states of all alerts. An unreadable one counts as absent. */
export async function readAlerts(redis: RedisClient, keyspace: Keyspace): Promise<Map<string, AlertState>> {
  const stored = await redis.hgetall(alertKeys(keyspace).states);
  return new Map(
    Object.entries(stored).flatMap(([key, json]) => {
      const state = parseForeign(json) as AlertState | undefined;
      return state?.key === key && typeof state.since === 'number' ? [[key, state]] : [];
    }),
  );
}
