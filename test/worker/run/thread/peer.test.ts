import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { HeadwayError, PermanentError } from '../../../../src/shared/errors.js';
import { packError, unpackError } from '../../../../src/worker/run/thread/errors.js';
import { type Offered, openPeer, type Peer } from '../../../../src/worker/run/thread/peer.js';

describe('the two sides of a port', () => {
  const open: Peer[] = [];
  afterEach(() => {
    for (const peer of open.splice(0)) peer.close();
  });
  function pair(offered: Offered): { asking: Peer; answering: Peer } {
    const { port1, port2 } = new MessageChannel();
    const asking = openPeer(port1, {});
    const answering = openPeer(port2, offered);
    open.push(asking, answering);
    return { asking, answering };
  }

  it('call one another and get what came of it', async () => {
    const { asking } = pair({
      add: (a: number, b: number) => a + b,
      async later(text: string) {
        return `${text}, later`;
      },
    });
    expect(await Promise.all([asking.call('add', 1, 2), asking.call('later', 'x')])).toEqual([3, 'x, later']);
  });

  it('get errors as they were thrown, and for what is not offered or cannot be sent', async () => {
    const { asking } = pair({
      fail() {
        throw new PermanentError('never');
      },
      give: () => () => {},
    });
    await expect(asking.call('fail')).rejects.toMatchObject({ name: 'PermanentError', permanent: true });
    await expect(asking.call('nothing')).rejects.toThrow('nothing here is named "nothing"');
    await expect(asking.call('give')).rejects.toThrow(/could not be cloned/);
    await expect(asking.call('give', () => {})).rejects.toThrow(/could not be cloned/);
  });

  it('are heard in order, also without a turn of the event loop', () => {
    const heard: number[] = [];
    const { asking, answering } = pair({ note: (n: number) => void heard.push(n) });
    for (let i = 0; i < 5; i++) asking.tell('note', i);
    expect(heard).toEqual([]);
    answering.receive();
    expect(heard).toEqual([0, 1, 2, 3, 4]);
  });

  it('leave nobody waiting when one of them closes', async () => {
    const { asking, answering } = pair({ never: () => new Promise(() => {}) });
    const waiting = asking.call('never');
    answering.close();
    await expect(waiting).rejects.toThrow('the other thread no longer listens');
    await expect(asking.call('never')).rejects.toThrow('the other thread no longer listens');
  });

  it('may be asked for messages while it learns that the other one closed', async () => {
    const { asking, answering } = pair({ never: () => new Promise(() => {}) });
    const waiting = asking.call('never').catch((error) => {
      asking.tell('anything');
      // This runs within the close event: a port that is read there takes the whole process with it.
      asking.receive();
      return error;
    });
    answering.close();
    expect(await waiting).toMatchObject({ message: 'the other thread no longer listens' });
  });
});

describe('an error on its way between threads', () => {
  const sent = (error: unknown): Error => unpackError(structuredClone(packError(error)));

  it('keeps its message, name, stack, code, and whether another attempt can help', () => {
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

  it('may be anything that can be thrown', () => {
    expect(sent('text')).toMatchObject({ name: 'Error', message: 'text' });
    expect(sent(undefined)).toMatchObject({ message: 'undefined' });
    expect(sent(Object.assign(new Error('x'), { f: () => {} }))).toMatchObject({ message: 'x' });
  });
});
