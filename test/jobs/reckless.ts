import { EventEmitter } from 'node:events';
import { readFile } from 'node:fs';
import { connect } from 'node:net';
import { defineJob, type JobContext } from 'headway-jobs';
import { z } from 'zod';

const fail = (): never => {
  throw new Error('thrown at nobody');
};
// This timer starts while the file is loaded, so an error thrown from it has no job as its async context.
const bus = new EventEmitter();
setInterval(() => bus.emit('tick'), 20);

const ways = {
  rejection: () => void (async () => fail())(),
  'late rejection': () =>
    void new Promise((_, reject) => setTimeout(() => reject(new Error('thrown at nobody')), 20)),
  timer: () => void setTimeout(fail, 10),
  interval: () => {
    let left = 3;
    const timer = setInterval(() => {
      if (--left === 0) clearInterval(timer);
      fail();
    }, 10);
  },
  tick: () => process.nextTick(fail),
  microtask: () => queueMicrotask(fail),
  file: () => readFile('/nonexistent', fail),
  socket: () => void connect(1, '127.0.0.1'),
  'abort listener': (ctx) => {
    ctx.signal.addEventListener('abort', fail);
    void (async () => fail())();
  },
  text: () => void Promise.reject('only text'),
  'foreign context': () => void bus.once('tick', fail),
  abort: () => process.abort(),
} satisfies Record<string, (ctx: JobContext) => void>;

/** Causes the uncaught error that `how` names, then waits until it is aborted. */
export default defineJob({
  name: 'reckless',
  input: z.strictObject({ how: z.enum(Object.keys(ways) as Array<keyof typeof ways>) }),
  result: z.null(),
  concurrency: 10,
  defaults: { cancelGraceMs: 200 },
  async run({ how }, ctx) {
    ctx.log('about to');
    ways[how](ctx);
    await new Promise((_, reject) => {
      // A promise alone does not keep a process alive.
      const timer = setInterval(() => {}, 1000);
      ctx.signal.addEventListener('abort', () => {
        clearInterval(timer);
        reject(ctx.signal.reason);
      });
    });
    return null;
  },
});
