// Loaded into an API process before its code (NODE_OPTIONS=--import). It sets the request timeout of Node's HTTP server to
// 1 s; the default is 5 minutes.
import http from 'node:http';
import { syncBuiltinESMExports } from 'node:module';

const { createServer } = http;
http.createServer = (options, listener) =>
  createServer(
    { ...options, headersTimeout: 1000, requestTimeout: 1000, connectionsCheckingInterval: 50 },
    listener,
  );
syncBuiltinESMExports();
