import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { HeadwayError, PermanentError } from '../../../../src/shared/errors.js';
import { packError, unpackError } from '../../../../src/worker/run/thread/errors.js';
import { type Handlers, openPeer, type Peer } from '../../../../src/worker/run/thread/peer.js';

describe('the two sides of a port', () => {
  const open: Peer[] = [];
  afterEach(() => {
    for (const peer of open.splice(0)) peer.close();
  });
  function pair(handlers: Handlers): { caller: Peer; callee: Peer } {
    const { port1, port2 } = new MessageChannel();
    const caller = openPeer(port1, {});
    const callee = openPeer(port2, handlers);
    open.push(caller, callee);
    return { caller, callee };
  }

  it('call each other and get the results', async () => {
    const { caller } = pair({
      add: (a: number, b: number) => a + b,
      async later(text: string) {
        return `${text}, later`;
      },
    });
    expect(await Promise.all([caller.call('add', 1, 2), caller.call('later', 'x')])).toEqual([3, 'x, later']);
  });

  it('get thrown errors, and errors for unknown calls and values that cannot be cloned', async () => {
    const { caller } = pair({
      fail() {
        throw new PermanentError('never');
      },
      give: () => () => {},
    });
    await expect(caller.call('fail')).rejects.toMatchObject({ name: 'PermanentError', permanent: true });
    await expect(caller.call('nothing')).rejects.toThrow('unknown call "nothing"');
    await expect(caller.call('give')).rejects.toThrow(/could not be cloned/);
    await expect(caller.call('give', () => {})).rejects.toThrow(/could not be cloned/);
  });

  it('handle messages in order, even without yielding to the event loop', () => {
    const heard: number[] = [];
    const { caller, callee } = pair({ note: (n: number) => void heard.push(n) });
    for (let i = 0; i < 5; i++) caller.notify('note', i);
    expect(heard).toEqual([]);
    callee.receive();
    expect(heard).toEqual([0, 1, 2, 3, 4]);
  });

  it('reject pending calls when one side closes', async () => {
    const { caller, callee } = pair({ never: () => new Promise(() => {}) });
    const waiting = caller.call('never');
    callee.close();
    await expect(waiting).rejects.toThrow('the other thread has closed its port');
    await expect(caller.call('never')).rejects.toThrow('the other thread has closed its port');
  });

  it('may receive during the close event', async () => {
    const { caller, callee } = pair({ never: () => new Promise(() => {}) });
    const waiting = caller.call('never').catch((error) => {
      caller.notify('anything');
      // Runs inside the close event, where reading from the port would crash the process.
      caller.receive();
      return error;
    });
    callee.close();
    expect(await waiting).toMatchObject({ message: 'the other thread has closed its port' });
  });
});

describe('an error sent between threads', () => {
  const sent = (error: unknown): Error => unpackError(structuredClone(packError(error)));

  it('keeps its message, name, stack and code, and whether it is permanent', () => {
    const far = Object.assign(new RangeError('too far'), { code: 'E_FAR' });
    expect(sent(far)).toMatchObject({
      name: 'RangeError',
      message: 'too far',
      stack: far.stack,
      code: 'E_FAR',
    });
    expect(sent(far)).not.toHaveProperty('permanent');
    expect(sent(new PermanentError('never'))).toMatchObject({ name: 'PermanentError', permanent: true });
    expect(sent(new HeadwayError('unknown-file', 'gone'))).toMatchObject({
      code: 'unknown-file',
      permanent: true,
    });
    expect(sent(new HeadwayError('disk-full', 'full'))).not.toHaveProperty('permanent');
  });

  it('can be any thrown value', () => {
    expect(sent('text')).toMatchObject({ name: 'Error', message: 'text' });
    expect(sent(undefined)).toMatchObject({ message: 'undefined' });
    expect(sent(Object.assign(new Error('x'), { f: () => {} }))).toMatchObject({ message: 'x' });
  });
});
