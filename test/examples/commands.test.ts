import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCutter } from '../support/cutter.js';
import { commandOf, runCommand, runToEnd } from '../support/example.js';
import type { Headway } from '../support/headway.js';
import { borrowHeadway } from '../support/shared-headway.js';
import { until } from '../support/until.js';

describe('examples for the terminal', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await borrowHeadway();
  });
  afterAll(() => headway.stop());

  it('examples/curl: starts, watches, fetches, cancels, publishes and follows', async () => {
    const printed = await runToEnd(commandOf('curl', 'walk'), { HEADWAY_URL: headway.api.url });
    const [, watched, result, cancelled, channel, late] = printed.split(/^== .*\n/m);
    expect(watched!.match(/^event: .*$/gm)!.filter((event) => event !== 'event: progress')).toEqual([
      'event: waiting',
      'event: active',
      'event: log',
      'event: completed',
    ]);
    expect(result).toBe('{"steps":5}\n');
    expect(cancelled!.match(/^event: .*$/gm)!.at(-1)).toBe('event: cancelled');
    const published = /event: headline\ndata: \{"text":"Bridge open again"\}\n\n/;
    const state = /event: weather\ndata: Rain,\ndata: then sun\n\n/;
    expect(channel).toMatch(published);
    expect(channel).toMatch(state);
    expect(late).toMatch(published);
    expect(late).toMatch(state);
  });

  it('examples/python: watches a job to its end although the connection is cut', async () => {
    const way = await startCutter(headway.api.url);
    const running = runCommand(commandOf('python', 'watch'), { HEADWAY_URL: way.url, PYTHONUNBUFFERED: '1' });
    await until('the bar has moved', () => running.output().includes('##'));
    way.cut();
    expect(await running.exited).toBe(0);
    const lines = running
      .output()
      .split('\n')
      .filter((line) => !line.endsWith('%'));
    expect(lines).toEqual([
      expect.stringMatching(/^started steps\./),
      'waiting ""',
      'active ""',
      'log: 20 steps of 100 ms',
      '(reconnecting)',
      'completed {"steps": 20}',
      '',
    ]);
    expect(way.requests.filter((head) => /^last-event-id: \w+-\d+\r$/im.test(head))).toHaveLength(1);
    await way.stop();
  });

  it('examples/python: exits with an error when its job fails', async () => {
    const command = commandOf('python', 'watch').replace('"count": 20', '"failAt": 1, "count": 20');
    await expect(runToEnd(command, { HEADWAY_URL: headway.api.url })).rejects.toThrow(
      /ended with 1: [\s\S]*failed \{"message": "failed at step 1, as asked"\}/,
    );
  });
});
