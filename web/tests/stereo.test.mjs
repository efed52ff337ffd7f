/** A room with stereo: who asks for it hears the others from where they are seen. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLUE, RED } from './support/browser.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser({ SIGNALBOX__ROOM__SOUND__STEREO: 'true' });

test('the left one is heard from the left, and by who asks for one channel in the middle', async () => {
  const red = await browser.memberPage();
  await red.join(await server.roomToken('stereo', 'Red'), RED);
  const blue = await browser.memberPage({ stereo: true });
  await blue.join(await server.roomToken('stereo', 'Blue'), BLUE);
  const both = { [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour };
  await blue.sees(both);
  const { [red.memberId]: left, [blue.memberId]: right } = await blue.rectangles();
  assert.ok(left.x < right.x);
  const sides = async (listener, { tone }) => {
    const [[left], [right]] = [await listener.levels([tone], 2000, 0), await listener.levels([tone], 2000, 1)];
    return [left, right];
  };
  const [ofRed, ofBlue] = [await sides(blue, RED), await sides(red, BLUE)];
  // A quarter of the picture beside the middle: cosine and sine of an eighth of a half turn, 7.7 dB.
  assert.ok(Math.abs(ofRed[0] - ofRed[1] - 7.7) < 1.5, `Red at ${ofRed} dB`);
  assert.ok(Math.abs(ofBlue[0] - ofBlue[1]) < 0.5 && ofBlue[0] > -45, `Blue at ${ofBlue} dB`);
});
