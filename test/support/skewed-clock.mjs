/**
 * Loaded into a process with `node --import`: its clock is wrong by CLOCK_AHEAD_MS. SIGUSR2 moves it by CLOCK_JUMP_MS.
 * Only `Date` is wrong; the monotonic clock and timers stay as they are.
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
