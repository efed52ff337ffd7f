/** `@signalwire/realtime-api` 3.13.0. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Video } from 'realtime-api-v3';
import { controlsRooms } from './support/realtime.mjs';
import { startServer } from './support/server.mjs';

const EVENTS = ['room.updated', 'member.joined', 'member.updated', 'member.left', 'member.talking', 'layout.changed'];

controlsRooms('realtime-api 3.13.0', async (options) => {
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
    disconnect: async () => client.disconnect(),
  };
});

test('a wrong project token is refused', async () => {
  const server = await startServer();
  const client = new Video.Client({ project: server.project, token: 'wrong', host: server.ws });
  client.on('room.started', () => {});
  await assert.rejects(client.subscribe());
  client.disconnect();
  await server.stop();
});
