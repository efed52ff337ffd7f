/** Two members with the unmodified browser SDK: each sees both in one picture, hears the other and not itself. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BLUE, RED, isNear } from './support/browser.mjs';
import { until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser();

async function meet(room, { codecs = [undefined, undefined] } = {}) {
  const red = await browser.memberPage({ codec: codecs[0] });
  await red.join(await server.roomToken(room, 'Red'), RED);
  const blue = await browser.memberPage({ codec: codecs[1] });
  await blue.join(await server.roomToken(room, 'Blue'), BLUE);
  const both = { [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour };
  return { red, blue, both };
}

async function part(...members) {
  await Promise.all(members.map((member) => member.page.close()));
}

/** The level of the other's tone and of one's own in what a member receives. */
async function hears(listener, other, self) {
  const [othersTone, ownTone] = await listener.levels([other.tone, self.tone]);
  return { othersTone, ownTone };
}

for (const codec of ['H264', 'VP8']) {
  describe(`two members with ${codec}`, () => {
    let red, blue, both;
    before(async () => {
      ({ red, blue, both } = await meet(`two-${codec}`, { codecs: [codec, codec] }));
    });
    after(() => part(red, blue));

    test('room.joined fires with oneself among the members', async () => {
      for (const member of [red, blue]) {
        const joined = await member.event('room.joined');
        assert.equal(joined.member_id, member.memberId);
        assert.ok(joined.room_session.members.some(({ id }) => id === member.memberId));
        assert.equal(joined.room_session.name, `two-${codec}`);
        assert.equal(joined.call_id, member.callId);
      }
      const { member } = await red.event('member.joined', (payload) => payload.member.id === blue.memberId);
      assert.equal(member.name, 'Blue');
      assert.equal(member.room_session_id, red.roomSessionId);
    });

    test('each sees both', async () => {
      await red.sees(both);
      await blue.sees(both);
    });

    test(`${codec} travels both ways, each section on its own transport`, async () => {
      for (const member of [red, blue]) {
        const statistics = await until('media', async () => {
          const now = await member.statistics();
          return now.framesDecoded > 30 && now.sentCodec && now;
        });
        assert.equal(statistics.sentCodec, `video/${codec}`);
        assert.equal(statistics.receivedCodec, `video/${codec}`);
        assert.equal(statistics.transports, 2);
      }
    });

    test('each hears the other, at least 20 dB above itself', async () => {
      for (const [listener, self, other] of [[red, RED, BLUE], [blue, BLUE, RED]]) {
        const { othersTone, ownTone } = await hears(listener, other, self);
        assert.ok(othersTone > -45, `the other's tone is at ${othersTone} dB`);
        assert.ok(othersTone - ownTone >= 20, `the other's tone ${othersTone} dB, one's own ${ownTone} dB`);
      }
    });

    test('feedback lets the browsers send: their estimates stay above where they start, at 300 kbit/s', async () => {
      for (const member of [red, blue]) {
        const { estimate } = await member.statistics();
        assert.ok(estimate >= 300_000, `${estimate} bit/s`);
      }
    });

    test('audioMute silences, audioUnmute brings the tone back', async () => {
      const loud = await hears(blue, RED, BLUE);
      const mark = await blue.mark();
      await red.call('audioMute');
      const muted = await blue.event('member.updated', ({ member }) => member.id === red.memberId && member.audio_muted, { after: mark });
      assert.ok(muted.member.updated.includes('audio_muted'));
      const silent = await hears(blue, RED, BLUE);
      assert.ok(loud.othersTone - silent.othersTone >= 40, `from ${loud.othersTone} dB to ${silent.othersTone} dB`);
      await red.call('audioUnmute');
      const again = await hears(blue, RED, BLUE);
      assert.ok(Math.abs(loud.othersTone - again.othersTone) < 6, `from ${loud.othersTone} dB to ${again.othersTone} dB`);
    });

    test('one may mute the other when the token allows it', async () => {
      const mark = await red.mark();
      await red.call('audioMute', { memberId: blue.memberId });
      await blue.event('member.updated', ({ member }) => member.id === blue.memberId && member.audio_muted);
      const silent = await hears(red, BLUE, RED);
      assert.ok(silent.othersTone < -70, `${silent.othersTone} dB`);
      await red.call('audioUnmute', { memberId: blue.memberId });
      await red.event('member.updated', ({ member }) => member.id === blue.memberId && !member.audio_muted, { after: mark });
    });

    test('videoMute shows the mute image in place of the colour', async () => {
      const mark = await blue.mark();
      await red.call('videoMute');
      const { member } = await blue.event('member.updated', ({ member }) => member.id === red.memberId && member.video_muted, { after: mark });
      assert.deepEqual([...member.updated].sort(), ['video_muted', 'visible']);
      assert.equal(member.visible, false);
      const isGone = async () => {
        const colours = await blue.colours();
        return colours[red.memberId] && !isNear(colours[red.memberId], RED.colour, 60) && isNear(colours[blue.memberId], BLUE.colour);
      };
      await until('the colour is gone', isGone);
      await red.call('videoUnmute');
      await blue.sees(both);
    });

    test('setLayout moves the members', async () => {
      const { layouts } = await red.call('getLayouts');
      for (const name of ['grid-responsive', '1x1', '2x1', '2x2', '3x3', '5up', '1x1+2x1']) {
        assert.ok(layouts.includes(name), `${name} in ${layouts}`);
      }
      const before = await blue.rectangles();
      for (const name of ['3x3', '5up', '2x1']) {
        const mark = await blue.mark();
        await red.call('setLayout', { name });
        await blue.event('layout.changed', ({ layout }) => layout.name === name, { after: mark });
        await red.event('room.updated', ({ room_session }) => room_session.layout_name === name);
        await red.sees(both);
        await blue.sees(both);
      }
      const mark = await blue.mark();
      await red.call('setLayout', { name: '3x3' });
      await blue.event('layout.changed', ({ layout }) => layout.name === '3x3', { after: mark });
      assert.notDeepEqual(await blue.rectangles(), before);
    });

    test('positions put members where they are asked to be', async () => {
      await red.call('setLayout', { name: '2x1' });
      for (const [first, second] of [[blue, red], [red, blue]]) {
        const mark = await red.mark();
        await red.call('setPositions', { positions: { [first.memberId]: 'standard-1', [second.memberId]: 'standard-2' } });
        const place = (layout, member) => layout.layers.find((layer) => layer.member_id === member.memberId)?.position;
        await red.event('layout.changed', ({ layout }) => place(layout, first) === 'standard-1' && place(layout, second) === 'standard-2', { after: mark });
        await red.sees(both);
      }
      const mark = await blue.mark();
      await red.call('setMemberPosition', { memberId: red.memberId, position: 'off-canvas' });
      await blue.event('layout.changed', ({ layout }) => !layout.layers.some((layer) => layer.member_id === red.memberId), { after: mark });
      await blue.sees({ [blue.memberId]: BLUE.colour });
      await red.call('setMemberPosition', { memberId: red.memberId, position: 'auto' });
      await blue.sees(both);
    });

    test('getMembers lists both with their state', async () => {
      const { members } = await blue.call('getMembers');
      assert.deepEqual(members.map(({ name }) => name).sort(), ['Blue', 'Red']);
      assert.ok(members.every(({ type, visible }) => type === 'member' && visible));
    });

    test('talking follows the voice', async () => {
      for (const talking of [false, true]) {
        const mark = await red.mark();
        await blue.page.evaluate((silent) => member.silence(silent), !talking);
        await red.event('member.talking', ({ member }) => member.id === blue.memberId && member.talking === talking, { after: mark });
      }
    });

    test('removeMember ends that leg', async () => {
      const mark = await red.mark();
      await red.call('removeMember', { memberId: blue.memberId });
      await blue.event('room.left');
      await red.event('member.left', ({ member }) => member.id === blue.memberId, { after: mark });
      await red.sees({ [red.memberId]: RED.colour });
      const { members } = await red.call('getMembers');
      assert.deepEqual(members.map(({ id }) => id), [red.memberId]);
    });
  });
}

for (const codec of ['H264', 'VP8']) {
  test(`a camera keeps its colours through ${codec}`, async () => {
    const ann = await browser.memberPage({ codec });
    await ann.join(await server.roomToken(`camera-${codec}`, 'Ann'), { colour: 'device', tone: RED.tone });
    let seen;
    const isTrue = async () => {
      // A place that the pattern of the browser's camera never draws over.
      seen = await ann.page.evaluate(() => member.ownCameraThereAndBack([0.3, 0.3]));
      return isNear(seen[1], seen[0], 6);
    };
    await until('true colours', isTrue).catch(() => assert.deepEqual(seen[1], seen[0]));
    await part(ann);
  });
}

test('one member with VP8 and one with H264 meet all the same', async () => {
  const { red, blue, both } = await meet('mixed', { codecs: ['VP8', 'H264'] });
  await red.sees(both);
  await blue.sees(both);
  assert.equal((await red.statistics()).receivedCodec, 'video/VP8');
  assert.equal((await blue.statistics()).receivedCodec, 'video/H264');
  await part(red, blue);
});

test('a member without microphone and one without camera hear and see what there is', async () => {
  const mute = await browser.memberPage();
  await mute.join(await server.roomToken('devices', 'Camera'), { colour: RED.colour });
  const voice = await browser.memberPage();
  await voice.join(await server.roomToken('devices', 'Voice'), { tone: BLUE.tone });
  const isSeen = async () => isNear((await voice.colours())[mute.memberId], RED.colour);
  await until('the one without camera sees the other', isSeen);
  const { othersTone } = await hears(mute, BLUE, RED);
  assert.ok(othersTone > -45, `${othersTone} dB`);
  await part(mute, voice);
});

test('what a token does not allow is refused with 403, an unknown member with 404', async () => {
  const red = await browser.memberPage();
  await red.join(await server.roomToken('rights', 'Red', { permissions: ['room.self.audio_mute'] }), RED);
  const blue = await browser.memberPage();
  await blue.join(await server.roomToken('rights', 'Blue'), BLUE);
  await assert.rejects(red.call('setLayout', { name: '2x1' }), { code: '403' });
  await assert.rejects(red.call('audioMute', { memberId: blue.memberId }), { code: '403' });
  await assert.rejects(red.call('removeMember', { memberId: blue.memberId }), { code: '403' });
  await assert.rejects(blue.call('audioMute', { memberId: 'b1946ac9-2492-4d23-a2f4-000000000000' }), { code: '404' });
  await red.call('audioMute');
  await part(red, blue);
});

test('leaving tells the others and leaves the picture to them', async () => {
  const { red, blue, both } = await meet('leaving');
  await blue.sees(both);
  await red.call('leave');
  await blue.event('member.left', ({ member }) => member.id === red.memberId);
  await blue.sees({ [blue.memberId]: BLUE.colour });
  await part(red, blue);
});
