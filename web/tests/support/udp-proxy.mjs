/**
 * A UDP relay between browsers and a server that loses and delays as it is told: the same losses for the same seed and the
 * same packets.
 *
 * Each browser address has a socket of its own towards the server. A direction with a rate has a queue of at most
 * `QUEUE_MS`: what does not fit is lost, as at a router.
 */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const QUEUE_MS = 300;

export async function startUdpProxy(targetPort, { seed = 1 } = {}) {
  const random = mulberry32(seed);
  const conditions = { loss: 0, kbps: Infinity };
  const counts = { passed: 0, lost: 0 };
  const back = new Map();
  const front = createSocket('udp4');
  front.bind(0, '127.0.0.1');
  await once(front, 'listening');

  const link = () => ({ freeAt: 0 });
  const down = link();
  const up = link();
  /** Sends through a link: at once, later, or never. */
  const pass = (direction, bytes, send) => {
    const now = performance.now();
    const starts = Math.max(now, direction.freeAt);
    if (random() < conditions.loss || starts - now > QUEUE_MS) {
      counts.lost += 1;
      return;
    }
    counts.passed += 1;
    if (conditions.kbps === Infinity) return send();
    // 28 bytes of IP and UDP travel, too.
    direction.freeAt = starts + ((bytes + 28) * 8) / conditions.kbps;
    setTimeout(send, direction.freeAt - now);
  };

  front.on('message', (packet, from) => {
    const key = `${from.address}:${from.port}`;
    let socket = back.get(key);
    if (!socket) {
      socket = createSocket('udp4');
      socket.bind(0, '127.0.0.1');
      socket.on('message', (reply) => pass(down, reply.length, () => isOpen && front.send(reply, from.port, from.address)));
      back.set(key, socket);
    }
    pass(up, packet.length, () => isOpen && socket.send(packet, targetPort, '127.0.0.1'));
  });

  let isOpen = true;
  return {
    port: front.address().port,
    counts,
    /** `loss` is a share of the packets of both directions, `kbps` the rate of each. */
    set({ loss = 0, kbps = Infinity }) {
      Object.assign(conditions, { loss, kbps });
    },
    stop() {
      isOpen = false;
      front.close();
      back.forEach((socket) => socket.close());
    },
  };
}

/** 32 bits of state; a different sequence for every seed. */
function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
