/** What a lost socket and a closed tab do to a call. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BLUE, RED, startBrowser } from './support/browser.mjs';
import { startProxy } from './support/proxy.mjs';
import { freePort, startServer } from './support/server.mjs';
import { sleep, until } from './support/until.mjs';

let server;
let browser;
let proxy;
before(async () => {
  // Room tokens carry the public address, so behind the relay everybody comes through it.
  const port = await freePort();
  server = await startServer({ SIGNALBOX__PUBLIC_URL: `http://127.0.0.1:${port}` });
  proxy = await startProxy(port, server.port);
  browser = await startBrowser();
});
after(async () => {
  await browser?.stop();
  await proxy?.stop();
  assert.equal(await server?.stop(), 0, 'the server ends well');
});

test('a call outlives its socket: media goes on, the session resumes by protocol, events continue', async () => {
  const red = await browser.memberPage();
  await red.join(await server.roomToken('drop', 'Red'), RED);
  const blue = await browser.memberPage();
  await blue.join(await server.roomToken('drop', 'Blue'), BLUE);
  const both = { [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour };
  await red.sees(both);

  const [marks, frames] = [[await red.mark(), await blue.mark()], (await red.statistics()).framesDecoded];
  proxy.cut();
  await sleep(1000);
  assert.ok((await red.statistics()).framesDecoded > frames + 15, 'the picture moves while no socket is there');
  await until('both are back', () => proxy.connections() === 2, 15_000);

  await red.call('audioMute');
  for (const [member, mark] of [[red, marks[0]], [blue, marks[1]]]) {
    await member.event('member.updated', ({ member: m }) => m.id === red.memberId && m.audio_muted, { after: mark, within: 15_000 });
  }
  await blue.call('setLayout', { name: '2x1' });
  await red.event('layout.changed', ({ layout }) => layout.name === '2x1', { after: marks[0] });
  await red.sees(both);
  // The SDK hangs up 12 s after a drop when it takes the media for lost.
  await sleep(13_000);
  await red.sees(both);
  await blue.sees(both);
  for (const [member, mark] of [[red, marks[0]], [blue, marks[1]]]) {
    const later = (await member.events()).slice(mark).map(({ name }) => name);
    for (const unwanted of ['member.left', 'member.joined', 'room.left', 'room.joined']) {
      assert.ok(!later.includes(unwanted), `${unwanted} after the drop: ${later}`);
    }
  }
  await Promise.all([red.page.close(), blue.page.close()]);
});

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

test('a loaded-anew page is the same member', async () => {
  const red = await browser.memberPage();
  const token = await server.roomToken('reload', 'Red');
  await red.join(token, RED);
  const blue = await browser.memberPage();
  await blue.join(await server.roomToken('reload', 'Blue'), BLUE);
  const before = { memberId: red.memberId, callId: red.callId };
  const mark = await blue.mark();
  await red.page.reload();
  await red.join(token, RED);
  assert.deepEqual({ memberId: red.memberId, callId: red.callId }, before);
  await red.event('room.joined');
  const both = { [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour };
  await red.sees(both);
  await blue.sees(both);
  const later = (await blue.events()).slice(mark).map(({ name }) => name);
  assert.ok(!later.includes('member.left') && !later.includes('member.joined'), String(later));
  await Promise.all([red.page.close(), blue.page.close()]);
});
