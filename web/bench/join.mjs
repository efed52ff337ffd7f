/**
 * How long a browser needs to be in a room, from the offer in hand (the invite leaves the page) to the answer, to
 * DTLS on all transports, and to the first composed picture: 50 joins in sequence, then 20 at once in one page.
 *
 * Prints a JSON line for each stage of each join: {"case":"sequence","stage":"connected","ms":12.3}
 */

import { RED, startBrowser } from '../tests/support/browser.mjs';
import { startServer } from '../tests/support/server.mjs';

const IN_SEQUENCE = 50;
const AT_ONCE = 20;

const server = await startServer({ SIGNALBOX__ROOM__MAX_MEMBERS: '40' });
const browser = await startBrowser();
try {
  const { page } = await browser.memberPage();
  await page.evaluate(prepare, RED);
  for (let n = 0; n < IN_SEQUENCE; n += 1) {
    print('sequence', await page.evaluate(join, [await server.roomToken(`sequence-${n}`, 'Ann')]));
  }
  const tokens = await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => server.roomToken('at-once', `Ann ${n}`)));
  print('at-once', await page.evaluate(join, tokens));
} finally {
  await browser.stop();
  await server.stop();
}

function print(name, joins) {
  for (const [stage, ms] of joins.flatMap((join) => Object.entries(join))) {
    console.log(JSON.stringify({ case: name, stage, ms }));
  }
}

/** Runs in the page: one camera and one microphone for all joins, and a note of when each invite left. */
function prepare({ colour, tone }) {
  window.sources = { camera: cameraOf(colour), microphone: microphoneOf(tone) };
  window.invited = new Map();
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    const message = JSON.parse(text).params?.message;
    if (message?.method === 'verto.invite') invited.set(message.params.dialogParams.callID, performance.now());
    return send.call(this, text);
  };
}

/** Runs in the page: joins with all tokens together, waits for every picture, leaves. */
async function join(tokens) {
  const before = peers.length;
  const joins = tokens.map(async (token) => {
    const rootElement = document.body.appendChild(document.createElement('div'));
    const tracks = [sources.camera.clone(), sources.microphone.clone()];
    const session = new SignalWire.Video.RoomSession({ token, rootElement, localStream: new MediaStream(tracks) });
    const picture = new Promise((resolve) => {
      new MutationObserver((_, observer) => {
        const video = rootElement.querySelector('video');
        if (!video) return;
        observer.disconnect();
        video.requestVideoFrameCallback(() => resolve(performance.now()));
      }).observe(rootElement, { childList: true, subtree: true });
    });
    await session.join();
    const invitedAt = invited.get(session.callId);
    const pictureAt = await picture;
    return { session, rootElement, invitedAt, picture: pictureAt - invitedAt };
  });
  // Connections are made in the order of the joins; each notes when it got its answer and its keys.
  const connections = new Map();
  const watch = setInterval(() => {
    for (const peer of peers.slice(before)) {
      if (connections.has(peer)) continue;
      const times = {};
      connections.set(peer, times);
      peer.addEventListener('signalingstatechange', () => {
        if (peer.signalingState === 'stable') times.answer ??= performance.now();
      });
      peer.addEventListener('connectionstatechange', () => {
        if (peer.connectionState === 'connected') times.connected ??= performance.now();
      });
    }
  }, 1);
  const done = await Promise.all(joins);
  clearInterval(watch);
  const measured = done.map(({ session, invitedAt, picture }) => {
    // The SDK's own peer of this call.
    const peer = session.peer?.instance;
    const times = connections.get(peer) ?? {};
    return { answer: times.answer - invitedAt, connected: times.connected - invitedAt, picture };
  });
  await Promise.all(done.map(({ session }) => session.leave()));
  done.forEach(({ rootElement }) => rootElement.remove());
  return measured;
}
