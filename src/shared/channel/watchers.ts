import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Logger } from '../process/log.js';
import { listenTo } from '../redis/listen.js';

/** An API process that has not answered in this time is not counted. */
const PATIENCE_MS = 500;
/** An answer is good for this long. */
const GOOD_MS = 1000;

const questions = (prefix: string): string => `${prefix}:presence`;

/** How many follow a channel, and whether every API process has said how many it has. */
export interface Watchers {
  watchers: number;
  complete: boolean;
}

/**
 * Who listens, over all API processes. Nothing is kept and nothing is sent until somebody asks: then the question goes to
 * all API processes, and each says how many viewers of the channel it has.
 */
export interface WatcherQuery {
  /** @returns at most a second old */
  watchers(channel: string): Promise<Watchers>;
}

export interface WatcherQueryOptions {
  redis: Redis;
  /** A connection for Pub/Sub; others may use it too. */
  hub: Redis;
  prefix: string;
}

interface Question {
  sum: number;
  answers: number;
  /** How many answers are to come; not known until the question is out. */
  expected: number;
  done: () => void;
}

export function createWatcherQuery({ redis, hub, prefix }: WatcherQueryOptions): WatcherQuery {
  const own = randomUUID();
  const replies = `${questions(prefix)}:${own}`;
  const bytes = Buffer.from(replies);
  const open = new Map<string, Question>();
  const recent = new Map<string, { at: number; answer: Promise<Watchers> }>();
  let listening: Promise<unknown> | undefined;

  hub.on('messageBuffer', (from: Buffer, message: Buffer) => {
    if (!bytes.equals(from)) return;
    const [id, count] = message.toString().split(' ');
    const question = open.get(id!);
    if (!question) return;
    question.sum += Number(count);
    question.answers++;
    if (question.answers >= question.expected) question.done();
  });
  // What it had subscribed to is forgotten with the connection.
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
        timer = setTimeout(resolve, PATIENCE_MS);
      });
      question.expected = await redis.publish(questions(prefix), `${replies} ${id} ${channel}`);
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
      if (known && known.at > now - GOOD_MS) return known.answer;
      for (const [name, { at }] of recent) {
        if (at > now - GOOD_MS) break;
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
  /** How many viewers of a channel this process has. */
  count: (channel: string) => number;
  log: Logger;
}

/** Answers for this process. */
export function answerWatcherQueries({ redis, hub, prefix, count, log }: WatcherAnswerOptions): void {
  listenTo({
    redis: hub,
    channel: questions(prefix),
    what: 'questions of who watches',
    log,
    onMessage(question) {
      const [replies, id, name] = question.split(' ');
      redis
        .publish(replies!, `${id} ${count(name!)}`)
        .catch((error) => log.debug({ err: error }, 'could not say how many watch'));
    },
  });
}
