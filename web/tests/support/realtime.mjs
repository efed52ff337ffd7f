/** What a server application does with the realtime SDK; the same story for each of its generations. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BLUE, RED, startBrowser } from './browser.mjs';
import { startProxy } from './proxy.mjs';
import { freePort, startServer } from './server.mjs';
import { arrival, until } from './until.mjs';

/**
 * `connect({project, token, host})` resolves with
 * `{ onRooms({started, ended}), watch(session, record), rooms(), room(id), disconnect() }`, where `record` takes
 * `(event name of the wire without "video.", payload)`.
 */
export function controlsRooms(name, connect) {
  describe(name, () => {
    let server, proxy, browser, client, red, session;
    const started = arrival('room.started');
    const ended = arrival('room.ended', 90_000);
    const events = [];
    // Payloads may be live objects that change with later events, so what is compared is copied at once.
    const record = (event, { id, name: of, talking, audioMuted, videoMuted, layoutName, layout }) =>
      events.push({ event, payload: { id, name: of, talking, audioMuted, videoMuted, layoutName, layout } });

    const seen = (event, fits = () => true, mark = 0) =>
      until(`${event} at the server application`, () => events.slice(mark).find((e) => e.event === event && fits(e.payload)));

    before(async () => {
      server = await startServer();
      proxy = await startProxy(await freePort(), server.port);
      browser = await startBrowser();
      client = await connect({ project: server.project, token: server.apiToken, host: proxy.ws });
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

    test('running rooms are listed and found by id', async () => {
      const { roomSessions } = await client.rooms();
      assert.deepEqual(roomSessions.map(({ id }) => id), [session.id]);
      const { roomSession } = await client.room(session.id);
      assert.equal(roomSession.name, 'watched');
      await assert.rejects(client.room('b1946ac9-2492-4d23-a2f4-000000000000'), { code: '404' });
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

    test('an unknown member is a 404', async () => {
      await assert.rejects(session.audioMute({ memberId: 'b1946ac9-2492-4d23-a2f4-000000000000' }), { code: '404' });
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
      proxy.cut();
      await until('the connection is gone', () => proxy.connections() === 0);
      // Raised while nobody is connected: it must not be lost.
      await red.call('audioMute');
      assert.equal(proxy.connections(), 0, 'the SDK waits a second before it comes back');
      await seen('member.updated', (member) => member.id === red.memberId && member.audioMuted === true, mark);
      mark = events.length;
      await session.audioUnmute({ memberId: red.memberId });
      await seen('member.updated', (member) => member.id === red.memberId && member.audioMuted === false, mark);
    });

    test('removeMember ends that leg', async () => {
      const mark = events.length;
      await session.removeMember({ memberId: blue.memberId });
      await blue.event('room.left');
      await seen('member.left', ({ id }) => id === blue.memberId, mark);
    });

    test('the last member out ends the room', async () => {
      await red.call('leave');
      assert.equal((await ended.promise).id, session.id);
      assert.deepEqual((await client.rooms()).roomSessions, []);
    });
  });
}

const memberOf = (layer) => layer.member_id ?? layer.memberId;
const placeOf = (layout, { memberId }) => layout.layers.find((layer) => memberOf(layer) === memberId)?.position;
