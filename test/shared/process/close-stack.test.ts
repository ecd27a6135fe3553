import { expect, test } from 'vitest';
import { CloseStack } from '../../../src/shared/process/close-stack.js';

test('closes in the reverse order, one resource after the other', async () => {
  const opened = new CloseStack();
  const closed: string[] = [];
  const close = async (name: string): Promise<void> => {
    await new Promise(setImmediate);
    closed.push(name);
  };
  expect(opened.adopt('connection', close)).toBe('connection');
  opened.adopt('queue', close);
  opened.defer(() => closed.push('timer'));
  await Promise.all([opened.close(), opened.close()]);
  expect(closed).toEqual(['timer', 'queue', 'connection']);
});

test('closes the others when one cannot be closed, and throws the first error', async () => {
  const opened = new CloseStack();
  const closed: string[] = [];
  opened.adopt('connection', (name) => closed.push(name));
  opened.defer(() => Promise.reject(new Error('second')));
  opened.defer(() => Promise.reject(new Error('first')));
  await expect(opened.close()).rejects.toThrow('first');
  expect(closed).toEqual(['connection']);
});
