import { randomUUID } from 'node:crypto';
import type { Keyspace } from '../keyspace.js';
import type { Logger } from '../process/log.js';
import { publishTo, type RedisClient } from '../redis/client.js';
import { listenTo } from '../redis/listen.js';
import type { Subscriber } from '../redis/subscriber.js';

/** How long to wait for the API processes, in ms. Later replies are not counted. */
const REPLY_TIMEOUT_MS = 500;
/** How long a result is reused, in ms. */
const REUSE_MS = 1000;

const questions = (keyspace: Keyspace): string => `${keyspace.prefix}:presence`;

/** The number of viewers of a channel, and whether every API process has reported its share. */
export interface Watchers {
  watchers: number;
  complete: boolean;
}

/**
 * Counts the viewers of a channel over all API processes. Nothing is stored: each query is broadcast, and every API process
 * replies with the number of its own viewers.
 */
export interface WatcherQuery {
  /** Returns the number of viewers, at most one second old. */
  watchers(channel: string): Promise<Watchers>;
}

export interface WatcherQueryOptions {
  redis: RedisClient;
  /** A Pub/Sub connection. It may be shared. */
  hub: Subscriber;
  keyspace: Keyspace;
}

interface Question {
  sum: number;
  answers: number;
  /** The number of expected replies; unknown until the query is published. */
  expected: number;
  done: () => void;
}

export function createWatcherQuery({ redis, hub, keyspace }: WatcherQueryOptions): WatcherQuery {
  const own = randomUUID();
  const replies = `${questions(keyspace)}:${own}`;
  const bytes = Buffer.from(replies);
  const open = new Map<string, Question>();
  const recent = new Map<string, { at: number; answer: Promise<Watchers> }>();
  let listening: Promise<unknown> | undefined;

  hub.on('messageBuffer', (from: Buffer, message: Buffer) => {
    if (!bytes.equals(from)) return;
    const [id = '', count] = message.toString().split(' ');
    const question = open.get(id);
    if (!question) return;
    question.sum += Number(count);
    question.answers++;
    if (question.answers >= question.expected) question.done();
  });
  // A lost connection loses its subscriptions.
  hub.on('close', () => {
    listening = undefined;
  });

  async function ask(channel: string): Promise<Watchers> {
    listening ??= hub.subscribe(replies);
    await listening;
    const id = randomUUID();
    const question: Question = { sum: 0, answers: 0, expected: Number.POSITIVE_INFINITY, done: () => {} };
    open.set(id, question);
    let timer: NodeJS.Timeout | undefined;
    try {
      const all = new Promise<void>((resolve) => {
        question.done = resolve;
        timer = setTimeout(resolve, REPLY_TIMEOUT_MS);
      });
      question.expected = await publishTo(redis, questions(keyspace), `${replies} ${id} ${channel}`);
      if (question.answers >= question.expected) question.done();
      await all;
      return { watchers: question.sum, complete: question.answers >= question.expected };
    } finally {
      clearTimeout(timer);
      open.delete(id);
    }
  }

  return {
    watchers(channel) {
      const now = performance.now();
      const known = recent.get(channel);
      if (known && known.at > now - REUSE_MS) return known.answer;
      for (const [name, { at }] of recent) {
        if (at > now - REUSE_MS) break;
        recent.delete(name);
      }
      const answer = ask(channel);
      recent.delete(channel);
      recent.set(channel, { at: now, answer });
      answer.catch(() => recent.delete(channel));
      return answer;
    },
  };
}

export interface WatcherAnswerOptions extends WatcherQueryOptions {
  /** Returns the number of viewers of a channel in this process. */
  count: (channel: string) => number;
  log: Logger;
}

/** Answers the queries of other processes with the number of viewers in this process. */
export function answerWatcherQueries({ redis, hub, keyspace, count, log }: WatcherAnswerOptions): void {
  listenTo({
    redis: hub,
    channel: questions(keyspace),
    what: 'viewer count queries',
    log,
    onMessage(question) {
      const [replies = '', id, name = ''] = question.split(' ');
      publishTo(redis, replies, `${id} ${count(name)}`).catch((error) =>
        log.debug({ err: error }, 'could not report the number of viewers'),
      );
    },
  });
}
