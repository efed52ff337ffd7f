/** `@signalwire/realtime-api` 4.2.1. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SignalWire } from 'realtime-api-v4';
import { controlsRooms } from './support/realtime.mjs';
import { startServer } from './support/server.mjs';
import { until } from './support/until.mjs';

const LISTENERS = {
  onRoomUpdated: 'room.updated',
  onMemberJoined: 'member.joined',
  onMemberUpdated: 'member.updated',
  onMemberLeft: 'member.left',
  onMemberTalking: 'member.talking',
  onLayoutChanged: 'layout.changed',
};

controlsRooms('realtime-api 4.2.1', async (options) => {
  const client = await SignalWire(options);
  return {
    onRooms: ({ started, ended }) => client.video.listen({ onRoomStarted: started, onRoomEnded: ended }),
    watch: (session, record) =>
      session.listen(
        Object.fromEntries(
          Object.entries(LISTENERS).map(([listener, event]) => [listener, (payload) => record(event, payload)]),
        ),
      ),
    rooms: () => client.video.getRoomSessions(),
    room: (id) => client.video.getRoomSessionById(id),
    disconnect: () => client.disconnect(),
  };
});

test('a wrong project token is final', async () => {
  const server = await startServer();
  const client = await SignalWire({ project: server.project, token: 'wrong', host: server.ws });
  await until('the refusal', () => client.authStatus === 'unauthorized');
  await client.disconnect();
  await server.stop();
});
