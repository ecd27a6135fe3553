/**
 * Loaded into a process with `node --import`. It sets the clock of the process ahead by CLOCK_AHEAD_MS, and by
 * CLOCK_JUMP_MS more at each SIGUSR2. Only `Date` changes; the monotonic clock and timers do not.
 */
let ahead = Number(process.env.CLOCK_AHEAD_MS ?? 0);
process.on('SIGUSR2', () => {
  ahead += Number(process.env.CLOCK_JUMP_MS);
});

const RealDate = Date;
const now = () => RealDate.now() + ahead;
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: () => new RealDate(now()).toString(),
  get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
});
