/** Screens and extra devices: members of their own, with a parent whose life they share. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BLUE, GREEN, RED, SDK_VERSIONS, YELLOW, isNear } from './support/browser.mjs';
import { until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser();

for (const sdk of SDK_VERSIONS) {
  describe(`@signalwire/js ${sdk}`, () => {
    const room = `children-${sdk.replaceAll('.', '-')}`;
    let red, blue, both;
    before(async () => {
      red = await browser.memberPage({ sdk });
      blue = await browser.memberPage({ sdk });
      await red.join(await server.roomToken(room, 'Red'), RED);
      await blue.join(await server.roomToken(room, 'Blue'), BLUE);
      both = { [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour };
      await red.sees(both);
    });
    after(() => Promise.all([red.page.close(), blue.page.close()]));

    const layoutName = async () => (await blue.events()).findLast(({ name }) => name === 'layout.changed').payload.layout.name;

    async function isGone(id, mark) {
      await blue.event('member.left', ({ member }) => member.id === id, { after: mark });
      assert.deepEqual((await blue.call('getMembers')).members.map((member) => member.id).sort(), [red.memberId, blue.memberId].sort());
    }

    test('a screen share with layout and position, seen and heard by the other', async () => {
      let mark = await blue.mark();
      const { memberId } = await red.add('startScreenShare', {
        ...{ ...GREEN, audio: true, video: true },
        ...{ layout: 'screen-share', positions: { self: 'reserved-1' } },
      });
      const { member } = await blue.event('member.joined', ({ member: m }) => m.id === memberId, { after: mark });
      assert.deepEqual([member.type, member.parent_id], ['screen', red.memberId]);
      await until('the screen on the canvas', async () => isNear((await blue.colours())[memberId], GREEN.colour));
      assert.equal(await layoutName(), 'screen-share');
      assert.deepEqual((await blue.rectangles())[memberId], { x: 0, y: 0, width: 100, height: 100 });
      const [screen, voice] = await blue.levels([GREEN.tone, RED.tone], 1500);
      assert.ok(screen > -45 && voice > -45, `screen ${screen} dB, voice ${voice} dB`);
      const [echo, other] = await red.levels([GREEN.tone, BLUE.tone], 1500);
      assert.ok(other - echo > 20, `one's own screen comes back at ${echo} dB, the other's voice at ${other} dB`);
      mark = await blue.mark();
      await red.end(memberId);
      await isGone(memberId, mark);
      await red.call('setLayout', { name: '2x2' });
      await blue.sees(both);
    });

    test('an extra camera', async () => {
      let mark = await blue.mark();
      const { memberId } = await red.add('addCamera', { colour: YELLOW.colour });
      const { member } = await blue.event('member.joined', ({ member: m }) => m.id === memberId, { after: mark });
      assert.deepEqual([member.type, member.parent_id], ['device', red.memberId]);
      await blue.sees({ ...both, [memberId]: YELLOW.colour });
      // The parent's own permission reaches its children.
      mark = await blue.mark();
      await red.call('videoMute', { memberId });
      await blue.event('member.updated', ({ member: m }) => m.id === memberId && m.video_muted, { after: mark });
      await red.end(memberId);
      await isGone(memberId, mark);
      await blue.sees(both);
    });

    test('an extra microphone', async () => {
      const mark = await blue.mark();
      const { memberId } = await red.add('addMicrophone', { tone: YELLOW.tone });
      await blue.event('member.joined', ({ member: m }) => m.id === memberId, { after: mark });
      const [extra] = await blue.levels([YELLOW.tone], 1500);
      assert.ok(extra > -45, `${extra} dB`);
      await red.end(memberId);
      await isGone(memberId, mark);
    });

    test('children end with their parent', async () => {
      const { memberId } = await red.add('startScreenShare', GREEN);
      const mark = await blue.mark();
      await blue.call('removeMember', { memberId: red.memberId });
      await red.event('room.left');
      for (const id of [memberId, red.memberId]) await blue.event('member.left', ({ member }) => member.id === id, { after: mark });
      await blue.sees({ [blue.memberId]: BLUE.colour });
    });
  });
}

test('a token without the permission shares nothing', async () => {
  const red = await browser.memberPage();
  await red.join(await server.roomToken('no-children', 'Red', { permissions: ['room.self.audio_mute'] }), RED);
  await assert.rejects(red.add('startScreenShare', GREEN), { code: '403' });
  await assert.rejects(red.add('addCamera', YELLOW), { code: '403' });
  await red.sees({ [red.memberId]: RED.colour });
  await red.page.close();
});
