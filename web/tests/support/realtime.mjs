/** What a server application does with the realtime SDK; the same story for each of its generations. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { BLUE, GREEN, RED, startBrowser } from './browser.mjs';
import { startProxy } from './proxy.mjs';
import { freePort, startServer } from './server.mjs';
import { arrival, until } from './until.mjs';

/**
 * `connect({project, token, host})` resolves with
 * `{ onRooms({started, ended}), watch(session, record), rooms(), room(id), disconnect() }`, where `record` takes
 * `(event name of the wire without "video.", payload)`. `lacks` names the methods that
 * the release does not have, `isDeafTo` an event that it never passes on; one that `losesRefusals` rejects, when a
 * recording or playback is refused, a promise that nobody can catch.
 */
export function controlsRooms(name, connect, { lacks = [], isDeafTo, losesRefusals } = {}) {
  const has = (method) => !lacks.includes(method);
  describe(name, () => {
    let server, proxy, browser, client, red, session, started, ended;
    const events = [];
    // Payloads may be live objects that change with later events, so what is compared is copied at once.
    // Older releases give the layout itself.
    const record = (event, payload) =>
      events.push({
        event,
        payload: { ...Object.fromEntries(PROPERTIES.map((name) => [name, payload[name]])), layout: payload.layout ?? payload },
      });

    const seen = async (event, fits = () => true, mark = 0) =>
      event === isDeafTo ||
      until(`${event} at the server application`, () => events.slice(mark).find((e) => e.event === event && fits(e.payload)));

    before(async () => {
      server = await startServer();
      proxy = await startProxy(await freePort(), server.port);
      browser = await startBrowser();
      client = await connect({ project: server.project, token: server.apiToken, host: proxy.ws });
      [started, ended] = [arrival('room.started'), arrival('room.ended', 90_000)];
      await client.onRooms({ started: started.arrived, ended: ended.arrived });
      red = await browser.memberPage();
      await red.join(await server.roomToken('watched', 'Red'), RED);
    });
    after(async () => {
      await client?.disconnect();
      await browser?.stop();
      await proxy?.stop();
      assert.equal(await server?.stop(), 0, 'the server ends well');
    });

    test('room.started brings the room session', async () => {
      session = await started.promise;
      assert.equal(session.name, 'watched');
      assert.equal(session.id, red.roomSessionId);
      await client.watch(session, record);
    });

    if (has('getRoomSessions')) test('running rooms are listed and found by id', async () => {
      const { roomSessions } = await client.rooms();
      assert.deepEqual(roomSessions.map(({ id }) => id), [session.id]);
      const { roomSession } = await client.room(session.id);
      assert.equal(roomSession.name, 'watched');
      await assert.rejects(client.room('b1946ac9-2492-4d23-a2f4-000000000000'), is404);
    });

    let blue;
    test('a joining member is announced, with the layout that has room for it', async () => {
      const mark = events.length;
      blue = await browser.memberPage();
      await blue.join(await server.roomToken('watched', 'Blue'), BLUE);
      const { payload } = await seen('member.joined', ({ id }) => id === blue.memberId, mark);
      assert.equal(payload.name, 'Blue');
      await seen('layout.changed', ({ layout }) => layout.layers.some((layer) => memberOf(layer) === blue.memberId), mark);
    });

    test('getMembers', async () => {
      const { members } = await session.getMembers();
      assert.deepEqual(members.map(({ name: of }) => of).sort(), ['Blue', 'Red']);
    });

    test('getLayouts and setLayout', async () => {
      const { layouts } = await session.getLayouts();
      assert.ok(layouts.includes('2x1') && layouts.includes('grid-responsive'), String(layouts));
      const mark = events.length;
      await session.setLayout({ name: '2x1', positions: { [blue.memberId]: 'standard-1', [red.memberId]: 'standard-2' } });
      await seen('layout.changed', ({ layout }) => layout.name === '2x1' && placeOf(layout, blue) === 'standard-1', mark);
      await seen('room.updated', ({ layoutName }) => layoutName === '2x1', mark);
      await red.sees({ [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour });
      await assert.rejects(session.setLayout({ name: 'no-such-layout' }));
    });

    test('setPositions and setMemberPosition', async () => {
      let mark = events.length;
      await session.setPositions({ positions: { [red.memberId]: 'standard-1', [blue.memberId]: 'standard-2' } });
      await seen('layout.changed', ({ layout }) => placeOf(layout, red) === 'standard-1', mark);
      mark = events.length;
      await session.setMemberPosition({ memberId: red.memberId, position: 'off-canvas' });
      await seen('layout.changed', ({ layout }) => placeOf(layout, red) === undefined, mark);
      await session.setMemberPosition({ memberId: red.memberId, position: 'auto' });
      await assert.rejects(session.setMemberPosition({ memberId: red.memberId, position: 'nowhere' }));
    });

    for (const [mute, unmute, field, property] of [
      ['audioMute', 'audioUnmute', 'audioMuted', 'audio_muted'],
      ['videoMute', 'videoUnmute', 'videoMuted', 'video_muted'],
    ]) {
      test(`${mute} and ${unmute}`, async () => {
        for (const [method, muted] of [[mute, true], [unmute, false]]) {
          const [mark, ofRed] = [events.length, await red.mark()];
          await session[method]({ memberId: red.memberId });
          await seen('member.updated', (member) => member.id === red.memberId && member[field] === muted, mark);
          await red.event('member.updated', ({ member }) => member.id === red.memberId && member[property] === muted, { after: ofRed });
        }
      });
    }

    test('the release has what it is known for', () => {
      for (const method of lacks) assert.equal(session[method], undefined, method);
    });

    /** Does something and waits until the application and Red have heard of it. */
    async function changes(member, property, wanted, action) {
      const [mark, ofRed] = [events.length, await red.mark()];
      await action();
      await seen('member.updated', (payload) => payload.id === member.memberId && isDeepStrictEqual(payload[property], wanted), mark);
      const snake = property.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      await red.event('member.updated', ({ member: m }) => m.id === member.memberId && m.updated.includes(snake), { after: ofRed });
    }

    test('deaf, volumes and sensitivity', async () => {
      const memberId = red.memberId;
      await changes(red, 'deaf', true, () => session.deaf({ memberId }));
      await changes(red, 'deaf', false, () => session.undeaf({ memberId }));
      await changes(red, 'inputVolume', -10, () => session.setInputVolume({ memberId, volume: -10 }));
      await changes(red, 'inputVolume', 0, () => session.setInputVolume({ memberId, volume: 0 }));
      await changes(red, 'outputVolume', 10, () => session.setOutputVolume({ memberId, volume: 10 }));
      await changes(red, 'outputVolume', 0, () => session.setOutputVolume({ memberId, volume: 0 }));
      await changes(red, 'inputSensitivity', 80, () => session.setInputSensitivity({ memberId, value: 80 }));
      await changes(red, 'inputSensitivity', 30, () => session.setInputSensitivity({ memberId, value: 30 }));
    });

    test('meta of room and members', async () => {
      const memberId = blue.memberId;
      await changes(blue, 'meta', { seat: 1 }, () => session.setMemberMeta({ memberId, meta: { seat: 1 } }));
      const mark = events.length;
      await session.setMeta({ topic: 'tea' });
      await seen('room.updated', ({ meta }) => isDeepStrictEqual(meta, { topic: 'tea' }), mark);
      if (!has('getMeta')) return;
      await session.updateMeta({ more: 1 });
      await session.deleteMeta(['topic']);
      assert.deepEqual((await session.getMeta()).meta, { more: 1 });
      await changes(blue, 'meta', { seat: 1, role: 'guest' }, () => session.updateMemberMeta({ memberId, meta: { role: 'guest' } }));
      await changes(blue, 'meta', { role: 'guest' }, () => session.deleteMemberMeta({ memberId, keys: ['seat'] }));
      assert.deepEqual((await session.getMemberMeta({ memberId })).meta, { role: 'guest' });
    });

    test('flags of the room', async () => {
      const flag = async (property, wanted, action) => {
        const mark = events.length;
        await action();
        await seen('room.updated', (payload) => payload[property] === wanted, mark);
      };
      await flag('hideVideoMuted', true, () => session.setHideVideoMuted(true));
      await flag('hideVideoMuted', false, () => session.setHideVideoMuted(false));
      if (!has('lock')) return;
      await flag('locked', true, () => session.lock());
      await flag('locked', false, () => session.unlock());
      await flag('prioritizeHandraise', true, () => session.setPrioritizeHandraise(true));
      await flag('prioritizeHandraise', false, () => session.setPrioritizeHandraise(false));
      await changes(red, 'handraised', true, () => session.setRaisedHand({ memberId: red.memberId }));
      await changes(red, 'handraised', false, () => session.setRaisedHand({ memberId: red.memberId, raised: false }));
    });

    test('a recording is started, paused, resumed and stopped', async () => {
      assert.deepEqual((await session.getRecordings()).recordings, []);
      // Release 4 settles the promise itself when the recording has ended, and offers its start beside.
      const whole = session.startRecording();
      const recording = await (whole.onStarted?.() ?? whole);
      assert.equal(recording.state, 'recording');
      await recording.pause();
      await recording.resume();
      await red.event('room.updated', ({ room_session }) => room_session.recording);
      await recording.stop();
      await whole;
      const [listed] = (await session.getRecordings()).recordings;
      assert.equal(listed.id, recording.id);
      assert.equal(listed.state, 'completed');
    });

    test('what does not exist yet says so', async () => {
      assert.deepEqual((await session.getPlaybacks()).playbacks, []);
      if (losesRefusals) return;
      const refused = async (promise, message) => assert.match(await promise.then(() => 'done', (error) => refusal(error).message), message);
      await refused(session.play({ url: 'https://media.example.com/a.mp4' }), /Playback is not available/);
      if (!has('startStream')) return;
      assert.deepEqual((await session.getStreams()).streams, []);
      await refused(session.startStream({ url: 'rtmp://media.example.com/app/key' }), /Streaming is not available/);
    });

    if (has('promote')) test('promote and demote', async () => {
      const guest = await browser.memberPage();
      await guest.watch(await server.roomToken('watched', 'Guest', { join_as: 'audience' }), GREEN);
      const memberId = guest.memberId;
      await session.setLayout({ name: '2x2' });
      let mark = events.length;
      await session.promote({ memberId, permissions: ['room.self.audio_mute'] });
      await seen('member.joined', ({ id }) => id === memberId, mark);
      await red.sees({ [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour, [memberId]: GREEN.colour });
      mark = events.length;
      await session.demote({ memberId });
      await seen('member.left', ({ id }) => id === memberId, mark);
      await guest.sees({ [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour });
      await guest.page.close();
    });

    test('an unknown member is a 404', async () => {
      await assert.rejects(session.audioMute({ memberId: 'b1946ac9-2492-4d23-a2f4-000000000000' }), is404);
    });

    test('talking is told', async () => {
      for (const talking of [false, true]) {
        const mark = events.length;
        await red.page.evaluate((silent) => member.silence(silent), !talking);
        await seen('member.talking', (payload) => payload.id === red.memberId && payload.talking === talking, mark);
      }
    });

    test('after a lost connection events go on and methods work, without subscribing anew', async () => {
      let mark = events.length;
      await proxy.cut();
      // Raised while nobody is connected: it must not be lost.
      await red.call('setLayout', { name: '3x3' });
      assert.equal(proxy.connections(), 0, 'the SDK waits a second before it comes back');
      await seen('room.updated', ({ layoutName }) => layoutName === '3x3', mark);
      mark = events.length;
      await session.setLayout({ name: '2x1' });
      await seen('room.updated', ({ layoutName }) => layoutName === '2x1', mark);
    });

    test('removeMember ends that leg', async () => {
      const mark = events.length;
      await session.removeMember({ memberId: blue.memberId });
      await blue.event('room.left');
      await seen('member.left', ({ id }) => id === blue.memberId, mark);
    });

    test('without members the room ends', async () => {
      if (has('removeAllMembers')) await session.removeAllMembers();
      else await red.call('leave');
      assert.equal((await ended.promise).id, session.id);
      if (has('getRoomSessions')) assert.deepEqual((await client.rooms()).roomSessions, []);
    });
  });
}

const PROPERTIES = [
  ...['id', 'name', 'talking', 'audioMuted', 'videoMuted', 'deaf', 'handraised', 'meta'],
  ...['inputVolume', 'outputVolume', 'inputSensitivity'],
  ...['layoutName', 'layout', 'locked', 'hideVideoMuted', 'prioritizeHandraise'],
];

const memberOf = (layer) => layer.member_id ?? layer.memberId;
const placeOf = (layout, { memberId }) => layout.layers.find((layer) => memberOf(layer) === memberId)?.position;
/** What an SDK rejects with: the result of the wire, in older releases inside an object of its own. */
const refusal = (error) => error.jsonrpc ?? error;
const is404 = (error) => refusal(error).code === '404';
