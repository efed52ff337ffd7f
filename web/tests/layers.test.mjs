/** Cameras of one layered stream: VP9 and AV1, where a room allows them. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BLUE, RED } from './support/browser.mjs';
import { startTiles } from './support/tiles.mjs';
import { sleep } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const ENCODINGS = [
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 2_500_000 },
];

const { server, browser } = await serverAndBrowser({ SIGNALBOX__ROOM__VIDEO_CODECS: 'h264,vp8,vp9,av1' });
const tiles = await startTiles(browser);
after(() => tiles.stop());

async function drawer(room, name, looks, options = {}) {
  const member = await tiles.page();
  return member.join({ token: await server.roomToken(room, name), host: server.ws, ...options }, looks);
}

/** What the browser tells of the stream in the slot of a member. */
const inbound = (viewer, memberId) =>
  viewer.page.evaluate(async (of) => {
    const { client } = tile;
    const slot = client.tiles().video.find((one) => one.member_id === of)?.slot;
    const { receiver } = client.call.media.videoSlots[slot];
    const stats = [...(await receiver.getStats()).values()];
    const one = stats.find(({ type }) => type === 'inbound-rtp');
    const codec = stats.find(({ id }) => id === one.codecId)?.mimeType;
    return { ...one, codec };
  }, memberId);

for (const codec of ['VP9', 'AV1']) {
  describe(`a camera in ${codec}`, () => {
    let red, blue;
    before(async () => {
      red = await drawer(`layers-${codec}`, 'Red', RED, { codec, encodings: ENCODINGS });
      blue = await drawer(`layers-${codec}`, 'Blue', BLUE);
      await blue.sees({ [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour }, 30_000);
    });
    after(() => Promise.all([red, blue].map((member) => member?.page.close())));

    test('is one stream, of which a viewer gets what its size needs', async () => {
      const sent = (await red.look()).sent;
      assert.equal(sent.length, 1, JSON.stringify(sent));
      await blue.resize(1900);
      await blue.receives(red.memberId, 'the whole', ({ width }) => width === 960, 30_000);
      await blue.resize(300);
      await blue.receives(red.memberId, 'the lowest layer', ({ width }) => width === 240, 30_000);
      await blue.sees({ [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour });
      await blue.resize(1900);
      await blue.receives(red.memberId, 'the whole again', ({ width }) => width === 960, 30_000);
      await blue.sees({ [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour });
    });

    test('nothing is lost, dropped or asked for again', async () => {
      const before = await inbound(blue, red.memberId);
      assert.equal(before.codec, `video/${codec}`);
      await sleep(4000);
      const now = await inbound(blue, red.memberId);
      assert.ok(now.framesDecoded - before.framesDecoded > 40, JSON.stringify([before.framesDecoded, now.framesDecoded]));
      assert.equal(now.packetsLost, 0);
      assert.ok(now.framesDropped - before.framesDropped <= 2, `${now.framesDropped - before.framesDropped} dropped`);
      assert.equal(now.pliCount, before.pliCount, 'the decoder needs no key frame');
    });
  });
}
