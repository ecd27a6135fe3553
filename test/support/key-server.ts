import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK } from 'jose';

/** A server with a JSON Web Key Set, like that of an identity provider. */
export interface KeyServer {
  url: string;
  /** Returns the number of requests so far. */
  asked(): number;
  /** Publishes a new key instead of all others, and returns its private key. */
  rotate(kid: string): Promise<CryptoKey>;
  stop(): Promise<void>;
}

export async function startKeyServer(): Promise<KeyServer> {
  let keys: JWK[] = [];
  let count = 0;
  const server: Server = createServer((_req, res) => {
    count++;
    res.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    asked: () => count,
    async rotate(kid) {
      const { publicKey, privateKey } = await generateKeyPair('ES256');
      keys = [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }];
      return privateKey;
    },
    async stop() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
