import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';

/** A handler that sets the same headers on every response, and may remove others. */
type FixedHeaders = (req: IncomingMessage, res: ServerResponse, next: () => void) => void;

/** Returns a handler that does the same as one that consists of many layers, which each request would pass through. */
export function inOneLayer(handler: FixedHeaders): RequestHandler {
  const added: Array<[name: string, value: string]> = [];
  const removed: string[] = [];
  const sample = new ServerResponse(new IncomingMessage(new Socket()));
  sample.setHeader = (name, value) => {
    added.push([name, String(value)]);
    return sample;
  };
  sample.removeHeader = (name) => void removed.push(name);
  handler(sample.req, sample, () => {});
  return (_req, res, next) => {
    for (const name of removed) res.removeHeader(name);
    for (const [name, value] of added) res.setHeader(name, value);
    next();
  };
}
