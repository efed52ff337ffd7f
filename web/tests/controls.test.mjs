/** Every control of a browser SDK, with what the other member sees, hears and is told. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BLUE, GREEN, RED, SDK_VERSIONS } from './support/browser.mjs';
import { until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser();

for (const sdk of SDK_VERSIONS) {
  describe(`@signalwire/js ${sdk}`, () => {
    const room = `controls-${sdk.replaceAll('.', '-')}`;
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

    /** Does something and waits until Blue has heard that these properties of a member changed. */
    async function changes(member, updated, action) {
      const mark = await blue.mark();
      await action();
      const fits = (payload) => payload.member.id === member.memberId && updated.every((name) => payload.member.updated.includes(name));
      return (await blue.event('member.updated', fits, { after: mark })).member;
    }

    async function changesRoom(property, action) {
      const mark = await blue.mark();
      await action();
      const { room_session } = await blue.event('room.updated', (payload) => payload.room_session.updated?.includes(property), { after: mark });
      return room_session;
    }

    const tone = async (listener, of) => (await listener.levels([of.tone], 1500))[0];

    test('meta of the room', async () => {
      const set = await changesRoom('meta', () => red.call('setMeta', { topic: 'tea', deep: { a: [1, 2] } }));
      assert.deepEqual(set.meta, { topic: 'tea', deep: { a: [1, 2] } });
      await changesRoom('meta', () => red.call('updateMeta', { topic: 'coffee', more: true }));
      assert.deepEqual((await blue.call('getMeta')).meta, { topic: 'coffee', deep: { a: [1, 2] }, more: true });
      await changesRoom('meta', () => red.call('deleteMeta', ['deep', 'more', 'unknown']));
      assert.deepEqual((await blue.call('getMeta')).meta, { topic: 'coffee' });
    });

    test('meta of a member', async () => {
      const set = await changes(red, ['meta'], () => blue.call('setMemberMeta', { memberId: red.memberId, meta: { seat: 4 } }));
      assert.deepEqual(set.meta, { seat: 4 });
      await changes(red, ['meta'], () => red.call('updateMemberMeta', { memberId: red.memberId, meta: { role: 'host' } }));
      assert.deepEqual((await blue.call('getMemberMeta', { memberId: red.memberId })).meta, { seat: 4, role: 'host' });
      await changes(red, ['meta'], () => red.call('deleteMemberMeta', { memberId: red.memberId, keys: ['seat'] }));
      assert.deepEqual((await blue.call('getMemberMeta', { memberId: red.memberId })).meta, { role: 'host' });
    });

    test('a locked room lets nobody in', async () => {
      assert.equal((await changesRoom('locked', () => red.call('lock'))).locked, true);
      const late = await browser.memberPage({ sdk });
      await assert.rejects(late.join(await server.roomToken(room, 'Late'), GREEN), { code: '403' });
      assert.equal((await changesRoom('locked', () => red.call('unlock'))).locked, false);
      await late.join(await server.roomToken(room, 'Late'), GREEN);
      await late.call('leave');
      await late.page.close();
      await red.sees(both);
    });

    test('hidden video-muted members leave the picture', async () => {
      await changes(blue, ['video_muted', 'visible'], () => red.call('videoMute', { memberId: blue.memberId }));
      assert.ok(blue.memberId in (await until('the layout', () => red.rectangles())));
      const hidden = await changesRoom('hide_video_muted', () => red.call('setHideVideoMuted', true));
      assert.equal(hidden.hide_video_muted, true);
      await red.sees({ [red.memberId]: RED.colour });
      await changesRoom('hide_video_muted', () => red.call('setHideVideoMuted', false));
      await until('the mute image', async () => blue.memberId in (await red.rectangles()));
      await changes(blue, ['video_muted', 'visible'], () => red.call('videoUnmute', { memberId: blue.memberId }));
      await red.sees(both);
    });

    test('a raised hand comes first where the room says so', async () => {
      const isLarge = (of) => until('the large picture', async () => (await red.rectangles())[of.memberId]?.width > 60);
      await red.call('setLayout', { name: 'highlight-1-responsive' });
      await blue.page.evaluate(() => member.silence(true));
      await isLarge(red);
      const first = await changesRoom('prioritize_handraise', () => red.call('setPrioritizeHandraise', true));
      assert.equal(first.prioritize_handraise, true);
      const up = await changes(blue, ['handraised'], () => blue.call('setRaisedHand'));
      assert.equal(up.handraised, true);
      await isLarge(blue);
      await red.sees(both);
      const down = await changes(blue, ['handraised'], () => red.call('setRaisedHand', { memberId: blue.memberId, raised: false }));
      assert.equal(down.handraised, false);
      await blue.page.evaluate(() => member.silence(false));
      await changesRoom('prioritize_handraise', () => red.call('setPrioritizeHandraise', false));
      await red.call('setLayout', { name: '2x1' });
      await red.sees(both);
    });

    test('deaf hears nothing and is not heard', async () => {
      const deaf = await changes(red, ['deaf', 'audio_muted'], () => red.call('deaf'));
      assert.deepEqual([deaf.deaf, deaf.audio_muted], [true, true]);
      assert.ok((await tone(red, BLUE)) < -90, 'silence for the deaf');
      assert.ok((await tone(blue, RED)) < -90, 'silence of the deaf');
      const heals = await changes(red, ['deaf', 'audio_muted'], () => red.call('undeaf'));
      assert.deepEqual([heals.deaf, heals.audio_muted], [false, false]);
      assert.ok((await tone(red, BLUE)) > -45);
      assert.ok((await tone(blue, RED)) > -45);
    });

    test('input volume is a gain that listeners hear, one decibel a step', async () => {
      const before = await tone(blue, RED);
      const { input_volume } = await changes(red, ['input_volume'], () => red.call('setInputVolume', { volume: -20 }));
      assert.equal(input_volume, -20);
      const step = before - (await tone(blue, RED));
      assert.ok(Math.abs(step - 20) < 2, `20 steps are ${step} dB`);
      await changes(red, ['input_volume'], () => blue.call('setMicrophoneVolume', { memberId: red.memberId, volume: 0 }));
      assert.ok(Math.abs(before - (await tone(blue, RED))) < 3);
    });

    test('output volume changes what that member hears, and nobody else', async () => {
      const [mine, theirs] = [await tone(red, BLUE), await tone(blue, RED)];
      const { output_volume } = await changes(red, ['output_volume'], () => red.call('setOutputVolume', { volume: -20 }));
      assert.equal(output_volume, -20);
      const step = mine - (await tone(red, BLUE));
      assert.ok(Math.abs(step - 20) < 2, `20 steps are ${step} dB`);
      assert.ok(Math.abs(theirs - (await tone(blue, RED))) < 3, 'the other hears as before');
      await changes(red, ['output_volume'], () => red.call('setSpeakerVolume', { volume: 0 }));
      assert.ok(Math.abs(mine - (await tone(red, BLUE))) < 3);
    });

    test('with sensitivity 0 nobody talks', async () => {
      await changes(red, ['input_sensitivity'], () => red.call('setInputSensitivity', { value: 0 }));
      await blue.event('member.talking', ({ member }) => member.id === red.memberId && !member.talking);
      const mark = await blue.mark();
      await changes(red, ['input_sensitivity'], () => blue.call('setInputSensitivity', { memberId: red.memberId, value: 30 }));
      await blue.event('member.talking', ({ member }) => member.id === red.memberId && member.talking, { after: mark });
    });

    test('what does not exist yet says so, and its lists are empty', async () => {
      await assert.rejects(red.call('play', { url: 'https://media.example.com/a.mp4' }), { code: '500', message: /Playback is not available/ });
      await assert.rejects(red.call('startStream', { url: 'rtmp://media.example.com/app/key' }), { code: '500', message: /Streaming is not available/ });
      assert.deepEqual((await red.call('getPlaybacks')).playbacks, []);
      assert.deepEqual((await red.call('getStreams')).streams, []);
    });

    test('bad parameters are refused with a reason, and nothing changes', async () => {
      await assert.rejects(red.call('setInputVolume', { volume: 51 }), { code: '422' });
      await assert.rejects(red.call('setInputSensitivity', { value: -1 }), { code: '422' });
      await assert.rejects(red.call('setLayout', { name: 'no-such-layout' }), { code: '422' });
      await assert.rejects(red.call('setMemberPosition', { memberId: red.memberId, position: 'nowhere' }), { code: '422' });
      await red.sees(both);
    });

    test('removeAllMembers ends the room for everybody', async () => {
      await red.call('removeAllMembers');
      await red.event('room.left');
      await blue.event('room.left');
    });
  });
}

test('200 random calls while media flows: states agree, the picture is right', async () => {
  const people = [];
  for (const look of [RED, BLUE, GREEN]) {
    const page = await browser.memberPage();
    people.push({ look, page: await page.join(await server.roomToken('random', String(look.tone)), look) });
  }
  let seed = 20_261_121;
  const random = (n) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (seed >>> 8) % n;
  };
  const pick = (list) => list[random(list.length)];
  const calls = [
    ...['audioMute', 'audioUnmute', 'videoMute', 'videoUnmute', 'deaf', 'undeaf'].map((method) => () => [method, { memberId: target() }]),
    () => ['setInputVolume', { memberId: target(), volume: random(101) - 50 }],
    () => ['setOutputVolume', { memberId: target(), volume: random(101) - 50 }],
    () => ['setInputSensitivity', { memberId: target(), value: random(101) }],
    () => ['setRaisedHand', { memberId: target(), raised: random(2) === 0 }],
    () => ['setPrioritizeHandraise', random(2) === 0],
    () => ['setHideVideoMuted', random(2) === 0],
    () => ['setLayout', { name: pick(['grid-responsive', '1x1', '2x1', '2x2', '5up', '3x3']) }],
    () => ['setMemberPosition', { memberId: target(), position: pick(['auto', 'standard-1', 'standard-3', 'off-canvas']) }],
    () => ['setMeta', { n: random(1000) }],
    () => ['setMemberMeta', { memberId: target(), meta: { n: random(1000) } }],
  ];
  const target = () => pick(people).page.memberId;
  for (let round = 0; round < 40; round += 1) {
    await Promise.all(Array.from({ length: 5 }, () => {
      const [method, params] = pick(calls)();
      return pick(people).page.call(method, params);
    }));
  }
  // Back to where the picture is known; every member's list then says the same.
  const [{ page: host }] = people;
  await host.call('setHideVideoMuted', false);
  await host.call('setPrioritizeHandraise', false);
  await host.call('setLayout', { name: '2x2' });
  for (const { page } of people) {
    const memberId = page.memberId;
    for (const [method, params] of [['undeaf', {}], ['audioUnmute', {}], ['videoUnmute', {}], ['setInputVolume', { volume: 0 }], ['setOutputVolume', { volume: 0 }], ['setMemberPosition', { position: 'auto' }]]) {
      await host.call(method, { memberId, ...params });
    }
  }
  const all = Object.fromEntries(people.map(({ page, look }) => [page.memberId, look.colour]));
  for (const { page } of people) await page.sees(all);
  const { members } = await host.call('getMembers');
  for (const { page } of people) {
    const heard = lastStates(await page.events());
    for (const { id, talking: _, ...state } of members) {
      const { updated: __, talking: ___, ...known } = heard[id];
      assert.deepEqual(known, { id, ...state }, `what ${page.memberId} knows of ${id}`);
    }
    const others = people.filter((other) => other.page !== page).map(({ look }) => look.tone);
    for (const level of await page.levels(others, 1500)) assert.ok(level > -50, `a tone at ${level} dB`);
  }
  await Promise.all(people.map(({ page }) => page.page.close()));
});

/** The last state of each member that a page's events tell. */
function lastStates(events) {
  const states = {};
  for (const { name, payload } of events) {
    if (name === 'room.joined') payload.room_session.members.forEach((member) => (states[member.id] = member));
    if (name === 'member.joined' || name === 'member.updated') states[payload.member.id] = { ...states[payload.member.id], ...payload.member };
  }
  return states;
}
