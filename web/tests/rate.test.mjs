/** A stored room says how many frames a second its canvas has, and its viewers' clocks say the same. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RED } from './support/browser.mjs';
import { ask } from './support/server.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser();
/** Of video in RTP. */
const CLOCK_RATE = 90_000;
const PICTURES = 40;

for (const fps of [20, 30]) {
  test(`${fps} frames a second`, async () => {
    const room = `rate-${fps}`;
    const { status } = await ask(server, '/api/video/rooms', {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${server.project}:${server.apiToken}`).toString('base64')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ name: room, fps }),
    });
    assert.equal(status, 201);
    const ann = await browser.memberPage();
    await ann.join(await server.roomToken(room, 'Ann'), RED);
    const timestamps = await ann.page.evaluate(timestampsOf, PICTURES);
    const steps = timestamps.slice(1).map((at, n) => (at - timestamps[n] + 2 ** 32) % 2 ** 32);
    // On a busy machine frames are left out, in the end all but every second or fourth; those that come are where the clock
    // has them.
    const frame = CLOCK_RATE / fps;
    const common = steps.reduce(commonDivisor);
    assert.ok([frame, 2 * frame, 4 * frame].includes(common), `${steps}: multiples of ${common}, not of ${frame}`);
    await ann.page.close();
  });
}

function commonDivisor(a, b) {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** Runs in the page: RTP timestamps of the next pictures that are shown. */
async function timestampsOf(count) {
  let video;
  while (!(video = member.picture())?.videoWidth) await new Promise((resolve) => setTimeout(resolve, 50));
  const timestamps = [];
  while (timestamps.length < count) {
    timestamps.push(await new Promise((resolve) => video.requestVideoFrameCallback((_, { rtpTimestamp }) => resolve(rtpTimestamp))));
  }
  return timestamps;
}
