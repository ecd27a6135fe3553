import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What the request for a stream holds until its connection is closed, or it has been answered otherwise. */
export class StreamLease {
  private held: Array<() => void> = [];
  private released = false;

  /** Adds something that is given back with the rest. */
  add(giveBack: () => void): void {
    if (this.released) giveBack();
    else this.held.push(giveBack);
  }

  /** Gives everything back. */
  release(): void {
    this.released = true;
    for (const giveBack of this.held) giveBack();
    this.held = [];
  }
}

const leases = Symbol('leases');
type LeasedSocket = Socket & { [leases]?: StreamLease[] };

/**
 * Creates the lease of a request. It ends with the response, or with the connection: the handshake detaches a stream from its
 * response, and a pipelined request after a stream is never answered.
 */
export function leaseFor(socket: Socket, res: ServerResponse): StreamLease {
  const lease = new StreamLease();
  const leased = socket as LeasedSocket;
  if (!leased[leases]) {
    leased[leases] = [];
    socket.on('close', onClose);
  }
  leased[leases].push(lease);
  res.once('close', () => {
    lease.release();
    leased[leases] = (leased[leases] ?? []).filter((other) => other !== lease);
  });
  if (socket.destroyed) lease.release();
  return lease;
}

/** Ends the leases of a connection. */
export function releaseLeases(socket: Socket): void {
  const leased = socket as LeasedSocket;
  for (const lease of leased[leases] ?? []) lease.release();
  leased[leases] = [];
}

function onClose(this: Socket): void {
  releaseLeases(this);
}
