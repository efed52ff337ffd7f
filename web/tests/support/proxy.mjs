/** A TCP relay whose connections can be cut without a goodbye, as a lost network does. */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

export async function startProxy(listenPort, targetPort) {
  const sockets = new Set();
  const relay = createServer((client) => {
    const server = connect(targetPort, '127.0.0.1');
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.pipe(server).pipe(client);
  }).listen(listenPort, '127.0.0.1');
  await once(relay, 'listening');
  /** Resolves when all that were there are gone; the next one may come at any time. */
  const cut = () =>
    Promise.all([...sockets].map((socket) => new Promise((gone) => socket.once('close', gone).resetAndDestroy())));
  return {
    ws: `ws://127.0.0.1:${listenPort}`,
    cut,
    connections: () => sockets.size / 2,
    async stop() {
      await cut();
      relay.close();
      await once(relay, 'close');
    },
  };
}
