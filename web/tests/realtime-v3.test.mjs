/** `@signalwire/realtime-api` 3: the first and the last release, and one between. */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { controlsRooms } from './support/realtime.mjs';
import { startServer } from './support/server.mjs';

// 3.0.1 cannot be imported as a module: its own imports need names that a CommonJS package does not export.
const require = createRequire(import.meta.url);
const RELEASES = {
  '3.0.1': {
    name: 'realtime-api-v3.0',
    // Its worker for members expects its start under another name than it is given.
    isDeafTo: 'member.updated',
    losesRefusals: true,
    lacks: [
      ...['getRoomSessions', 'getMeta', 'updateMeta', 'deleteMeta', 'getMemberMeta', 'updateMemberMeta', 'deleteMemberMeta'],
      ...['promote', 'demote', 'startStream', 'getStreams', 'removeAllMembers', 'lock', 'unlock', 'setRaisedHand'],
      'setPrioritizeHandraise',
    ],
  },
  '3.6.0': {
    name: 'realtime-api-v3.6',
    losesRefusals: true,
    lacks: ['lock', 'unlock', 'setRaisedHand', 'setPrioritizeHandraise'],
  },
  '3.13.0': { name: 'realtime-api-v3' },
};

const EVENTS = ['room.updated', 'member.joined', 'member.updated', 'member.left', 'member.talking', 'layout.changed'];

for (const [release, { name, ...known }] of Object.entries(RELEASES)) {
  const { Video } = require(name);

  controlsRooms(`realtime-api ${release}`, async (options) => {
    const client = new Video.Client(options);
    return {
      async onRooms({ started, ended }) {
        client.on('room.started', started);
        client.on('room.ended', ended);
        await client.subscribe();
      },
      async watch(session, record) {
        EVENTS.forEach((event) => session.on(event, (payload) => record(event, payload)));
        await session.subscribe();
      },
      rooms: () => client.getRoomSessions(),
      room: (id) => client.getRoomSessionById(id),
      disconnect: async () => client.disconnect?.(),
    };
  }, known);

}

// The releases before ask again for ever, or reject a promise that nobody can catch.
test('a wrong project token is refused', async () => {
  const { Video } = require(RELEASES['3.13.0'].name);
  const server = await startServer();
  const client = new Video.Client({ project: server.project, token: 'wrong', host: server.ws });
  client.on('room.started', () => {});
  await assert.rejects(client.subscribe());
  client.disconnect();
  await server.stop();
});
