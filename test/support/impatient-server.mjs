// Loaded into an API process before its own code (NODE_OPTIONS=--import): Node's HTTP server gives a request 1 s, where it
// is 5 minutes otherwise.
import http from 'node:http';
import { syncBuiltinESMExports } from 'node:module';

const { createServer } = http;
http.createServer = (listener) =>
  createServer({ headersTimeout: 1000, requestTimeout: 1000, connectionsCheckingInterval: 50 }, listener);
syncBuiltinESMExports();
