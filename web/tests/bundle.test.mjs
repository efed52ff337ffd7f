/** The same room over one transport for everything, when the server is set to answer BUNDLE. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLUE, RED } from './support/browser.mjs';
import { until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser({ SIGNALBOX__MEDIA__BUNDLE: 'true' });

test('two members meet over bundled transports', async () => {
  const red = await browser.memberPage();
  await red.join(await server.roomToken('bundled', 'Red'), RED);
  const blue = await browser.memberPage();
  await blue.join(await server.roomToken('bundled', 'Blue'), BLUE);
  const both = { [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour };
  await red.sees(both);
  await blue.sees(both);
  const [othersTone, ownTone] = await blue.levels([RED.tone, BLUE.tone]);
  assert.ok(othersTone > -45 && othersTone - ownTone >= 20, `the other's tone ${othersTone} dB, one's own ${ownTone} dB`);
  for (const member of [red, blue]) {
    const statistics = await until('media', async () => {
      const now = await member.statistics();
      return now.framesDecoded > 30 && now;
    });
    assert.equal(statistics.transports, 1);
    assert.ok(statistics.estimate >= 300_000, `${statistics.estimate} bit/s`);
  }
  await Promise.all([red.page.close(), blue.page.close()]);
});
