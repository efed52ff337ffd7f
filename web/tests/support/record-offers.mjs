/**
 * Writes what Chromium offers, as fixtures for media-core: `node tests/support/record-offers.mjs [folder]`.
 *
 * Each offer is complete: with candidates, as an application sends it that does not trickle.
 */

import { writeFile } from 'node:fs/promises';
import { startBrowser } from './browser.mjs';

const FOLDER = process.argv[2] ?? new URL('../../../media-core/src/sdp/fixtures/offers/', import.meta.url).pathname;

/** Runs in the page. `video` and `audio` count the sections that only receive. */
async function offer({ sends, simulcast, red, video = 0, audio = 0, data }) {
  const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  const stream = sends.length > 0 && (await navigator.mediaDevices.getUserMedia({ audio: true, video: true }));
  for (const [kind, direction] of sends) {
    const [track] = stream.getTracks().filter((each) => each.kind === kind);
    const sendEncodings =
      kind === 'video' && simulcast
        ? [
            { rid: 'q', scaleResolutionDownBy: 4 },
            { rid: 'h', scaleResolutionDownBy: 2 },
            { rid: 'f', scaleResolutionDownBy: 1 },
          ]
        : undefined;
    const transceiver = peer.addTransceiver(track, { direction, streams: [stream], sendEncodings });
    if (kind === 'audio' && red) {
      const { codecs } = RTCRtpReceiver.getCapabilities('audio');
      const redFirst = (codec) => (codec.mimeType === 'audio/red' ? 0 : 1);
      transceiver.setCodecPreferences(codecs.toSorted((a, b) => redFirst(a) - redFirst(b)));
    }
  }
  for (let n = 0; n < audio; n += 1) peer.addTransceiver('audio', { direction: 'recvonly' });
  for (let n = 0; n < video; n += 1) peer.addTransceiver('video', { direction: 'recvonly' });
  if (data) peer.createDataChannel('data');
  await peer.setLocalDescription();
  while (peer.iceGatheringState !== 'complete') await new Promise((done) => setTimeout(done, 20));
  const { sdp } = peer.localDescription;
  stream && stream.getTracks().forEach((track) => track.stop());
  peer.close();
  return sdp;
}

const CAMERA = [
  ['audio', 'sendrecv'],
  ['video', 'sendonly'],
];
const PUBLISH = [
  ['audio', 'sendonly'],
  ['video', 'sendonly'],
];

const OFFERS = {
  tiles: { sends: CAMERA, simulcast: true, video: 9 },
  'tiles-audio-slots': { sends: PUBLISH, simulcast: true, red: true, video: 9, audio: 3 },
  'tiles-viewer': { sends: [], video: 25, audio: 1 },
  whep: { sends: [], video: 1, audio: 1 },
  whip: { sends: PUBLISH, simulcast: true },
  'tiles-data': { sends: CAMERA, simulcast: true, video: 2, data: true },
};

const browser = await startBrowser();
try {
  // Media devices need a trustworthy origin, and ones that no page has replaced: a script of the site is a page without scripts.
  const member = await browser.memberPage();
  const page = await browser.context.newPage();
  await page.goto(new URL('sdk.js', member.page.url()).href);
  for (const [name, wishes] of Object.entries(OFFERS)) {
    const sdp = await page.evaluate(offer, wishes);
    await writeFile(`${FOLDER}/${name}.sdp`, sdp);
    console.log(name, sdp.length);
  }
} finally {
  await browser.stop();
}
