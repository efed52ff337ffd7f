/** The release binary as the tests' server: started on a free port with a data directory of its own, ended by its pid. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import plain from 'node:http';
import https from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { until } from './until.mjs';

const BINARY = process.env.SIGNALBOX_BIN ?? fileURLToPath(new URL('../../../target/release/signalbox', import.meta.url));
const PROJECT = 'dev';
const API_TOKEN = 'token-of-the-tests';

/** Everything a token can allow. */
export const ALL_PERMISSIONS = [
  ...['self', 'member'].flatMap((who) =>
    [
      ...['audio_mute', 'audio_unmute', 'video_mute', 'video_unmute', 'deaf', 'undeaf', 'set_input_volume'],
      ...['set_output_volume', 'set_input_sensitivity', 'set_position', 'set_meta', 'raisehand', 'lowerhand'],
    ].map((what) => `room.${who}.${what}`),
  ),
  ...['room.member.remove', 'room.member.promote', 'room.member.demote'],
  ...['room.self.screenshare', 'room.self.additional_source'],
  ...['room.hide_video_muted', 'room.show_video_muted', 'room.list_available_layouts', 'room.set_layout'],
  ...['room.set_position', 'room.set_meta', 'room.lock', 'room.unlock', 'room.playback', 'room.playback_seek'],
  ...['room.recording', 'room.stream', 'room.prioritize_handraise'],
];

export async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/**
 * `env` lies over the process's own: `SIGNALBOX__SECTION__KEY` sets a key of the configuration. `ca` is the PEM of the
 * authority that its certificate is of: the server speaks TLS then.
 */
export async function startServer(env = {}, { ca } = {}) {
  const port = await freePort();
  const dataDir = await mkdtemp(join(tmpdir(), 'signalbox-test-'));
  const child = spawn(BINARY, ['serve', '--dev', '--listen', `127.0.0.1:${port}`, '--data-dir', dataDir], {
    env: { ...process.env, SIGNALBOX_DEV_TOKEN: API_TOKEN, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (more) => (log += more));
  let startError;
  child.on('error', (error) => (startError = error));

  const server = {
    http: `${ca ? 'https' : 'http'}://127.0.0.1:${port}`,
    ws: `${ca ? 'wss' : 'ws'}://127.0.0.1:${port}`,
    port,
    ca,
    dataDir,
    project: PROJECT,
    apiToken: API_TOKEN,
    log: () => log,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    roomToken: (room, user, more = {}) => roomToken(server, room, user, more),
    async stop() {
      if (server.isAlive()) {
        child.kill('SIGTERM');
        const killer = setTimeout(() => child.kill('SIGKILL'), 10_000);
        await once(child, 'exit');
        clearTimeout(killer);
      }
      await rm(dataDir, { recursive: true, force: true });
      if (process.env.SIGNALBOX_TEST_LOG) process.stderr.write(log);
      return child.exitCode;
    },
  };
  try {
    await until('the server is ready', async () => {
      if (startError) throw startError;
      if (!server.isAlive()) throw new Error(`the server ended at its start:\n${log}`);
      return (await ask(server, '/readyz').catch(() => undefined))?.status === 200;
    });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}

/** An HTTP request that trusts the server's own authority, which `fetch` cannot; resolves with `{ status, text }`. */
export async function ask({ http, ca }, path, { method = 'GET', headers = {}, body } = {}) {
  const request = (ca ? https : plain).request(`${http}${path}`, { method, headers, ca, agent: false }).end(body);
  const [response] = await once(request, 'response');
  return { status: response.statusCode, text: await text(response) };
}

async function roomToken(server, room, user, more) {
  const response = await ask(server, '/api/video/room_tokens', {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${server.project}:${server.apiToken}`).toString('base64')}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ room_name: room, user_name: user, permissions: ALL_PERMISSIONS, ...more }),
  });
  if (response.status !== 200) throw new Error(`no room token: ${response.status} ${response.text}`);
  return JSON.parse(response.text).token;
}
