/** What a closed tab does to a room. */

import { test } from 'node:test';
import { BLUE, RED } from './support/browser.mjs';
import { until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser();

test('a closed tab ends the member, and the last one ends the room', async () => {
  const red = await browser.memberPage();
  await red.join(await server.roomToken('closing', 'Red'), RED);
  const blue = await browser.memberPage();
  await blue.join(await server.roomToken('closing', 'Blue'), BLUE);
  await blue.sees({ [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour });
  const mark = await blue.mark();
  await red.page.close({ runBeforeUnload: false });
  await blue.event('member.left', ({ member }) => member.id === red.memberId, { after: mark, within: 25_000 });
  await blue.sees({ [blue.memberId]: BLUE.colour });
  await blue.page.close();
  await until('the room is over', async () => (await rooms()) === 0, 25_000);
});

async function rooms() {
  const metrics = await (await fetch(`${server.http}/metrics`)).text();
  return Number(metrics.match(/^signalbox_rooms (\d+)$/m)?.[1]);
}
