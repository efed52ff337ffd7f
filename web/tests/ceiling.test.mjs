/** A camera is asked for what its place on the canvas deserves. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RED } from './support/browser.mjs';
import { until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser();

test('a small tile lowers what its browser sends, and a large one raises it again', async () => {
  const member = await browser.memberPage();
  await member.join(await server.roomToken('ceiling', 'Ann'), { ...RED, colour: 'device' });
  const estimate = async () => (await member.statistics()).estimate;
  const above = () => until('a free camera', async () => (await estimate()) > 600_000, 20_000);
  await above();
  await member.call('setLayout', { name: '5x5' });
  // 256x144 pixels, and its sound.
  await until('a modest camera', async () => (await estimate()) <= 300_000, 10_000);
  assert.ok((await estimate()) > 100_000);
  await member.call('setLayout', { name: '1x1' });
  await above();
  await member.page.close();
});
