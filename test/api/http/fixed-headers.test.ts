import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Request, Response } from 'express';
import helmet from 'helmet';
import { expect, it } from 'vitest';
import { inOneLayer } from '../../../src/api/http/fixed-headers.js';

it('sets and removes the same headers as the layers, and calls them once', () => {
  let calls = 0;
  const layers = helmet({ referrerPolicy: { policy: 'no-referrer' } });
  const one = inOneLayer((...args) => {
    calls++;
    layers(...args);
  });
  const headersAfter = (handle: (req: Request, res: Response, next: () => void) => void) => {
    const res = new ServerResponse(new IncomingMessage(new Socket()));
    res.setHeader('X-Powered-By', 'Express');
    let passed = 0;
    handle(res.req as Request, res as Response, () => passed++);
    expect(passed).toBe(1);
    return res.getHeaders();
  };

  const headers = headersAfter(one);
  expect(headers).toEqual(headersAfter(layers));
  expect(headers).toMatchObject({ 'referrer-policy': 'no-referrer' });
  expect(headers).not.toHaveProperty('x-powered-by');
  headersAfter(one);
  expect(calls).toBe(1);
});
