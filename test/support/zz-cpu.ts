import childProcess from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, beforeAll, expect } from 'vitest';
const cpu = () => {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ');
  return fields.slice(11, 15).map((x) => Number(x) / 100);
};
const g = globalThis as any;
if (!g.zz) {
  g.zz = { procs: new Map<string, [number, number]>(), last: 0, reaped: 0 };
  const real = childProcess.spawn;
  const reapedNow = () => { const c = cpu(); return c[2]! + c[3]!; };
  g.zz.reaped = reapedNow();
  (childProcess as any).spawn = (...args: any[]) => {
    const child = (real as any)(...args);
    const argv = Array.isArray(args[1]) ? args[1].filter((a: string) => !a.startsWith('--')) : [];
    const label = [args[0].split('/').pop(), ...(args[0].endsWith('node') ? [argv.find((a: string) => /\.[mc]?js$|^[a-z]+$/.test(a))?.split('/').slice(-2).join('/')] : [])].join(' ');
    child.prependOnceListener('exit', () => {
      const now = reapedNow();
      const used = now - g.zz.reaped;
      g.zz.reaped = now;
      const [n, t] = g.zz.procs.get(label) ?? [0, 0];
      g.zz.procs.set(label, [n + 1, t + used]);
    });
    return child;
  };
  syncBuiltinESMExports();
}
let before: number[];
let begun = 0;
beforeAll(() => { before = cpu(); begun = performance.now(); g.zz.procs.clear(); });
afterAll(() => {
  const after = cpu();
  const [u, s, cu, cs] = after.map((x, i) => x - before[i]!);
  const procs = [...g.zz.procs].map(([k, [n, t]]: any) => `${n}×${k}=${t.toFixed(1)}`).join(' ');
  appendFileSync('/tmp/cpu-t2.tsv', [expect.getState().testPath?.split('/test/')[1], ((performance.now() - begun) / 1000).toFixed(1), (u! + s!).toFixed(1), (cu! + cs!).toFixed(1), procs].join('\t') + '\n');
});
