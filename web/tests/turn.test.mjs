/** A browser that reaches nothing but a TURN server joins through it, with the credentials of its connect. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BLUE, RED, startBrowser } from './support/browser.mjs';
import { freePort, startServer } from './support/server.mjs';
import { until } from './support/until.mjs';

const SECRET = 'a secret that coturn has too';
// Debian's package `coturn`; without it there is nothing to prove this with.
const missing = spawnSync('turnserver', ['--version']).error ? 'there is no turnserver (package coturn) here' : false;

let server;
let browser;
let relay;
before(async () => {
  if (missing) return;
  relay = await startRelay();
  server = await startServer({
    SIGNALBOX__TURN__URLS: `turn:127.0.0.1:${relay.port}?transport=udp`,
    SIGNALBOX__TURN__SECRET: SECRET,
  });
  browser = await startBrowser();
});
after(async () => {
  await browser?.stop();
  await relay?.stop();
  if (server) assert.equal(await server.stop(), 0, 'the server ends well');
});

/** coturn on loopback; what it is allowed here, a production server must not be (deploy/coturn.conf.sample). */
async function startRelay() {
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), 'signalbox-turn-'));
  const file = join(directory, 'turnserver.conf');
  await writeFile(
    file,
    [
      `listening-ip=127.0.0.1`,
      `relay-ip=127.0.0.1`,
      `listening-port=${port}`,
      'use-auth-secret',
      `static-auth-secret=${SECRET}`,
      'realm=signalbox.test',
      'fingerprint',
      'allow-loopback-peers',
      'no-tls',
      'no-dtls',
      'no-cli',
      `cli-password=${SECRET}`,
      'log-file=stdout',
      'verbose',
      `userdb=${join(directory, 'turndb')}`,
      `pidfile=${join(directory, 'pid')}`,
      '',
    ].join('\n'),
  );
  const child = spawn('turnserver', ['-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (more) => (log += more));
  await until('the relay listens', () => /listener opened on ?: 127\.0\.0\.1/i.test(log));
  return {
    port,
    log: () => log,
    async stop() {
      child.kill('SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Runs in the page: whatever the SDK configures, only relayed candidates are used. */
function relayOnly() {
  const Plain = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Plain {
    constructor(configuration, ...more) {
      window.iceServers = configuration?.iceServers;
      super({ ...configuration, iceTransportPolicy: 'relay' }, ...more);
    }
  };
}

test('a member joins through the relay', { skip: missing }, async () => {
  const red = await browser.memberPage();
  await red.page.evaluate(relayOnly);
  await red.join(await server.roomToken('relayed', 'Red'), RED);
  const blue = await browser.memberPage();
  // One who needs no relay has the same list, and joins as ever.
  await blue.join(await server.roomToken('relayed', 'Blue'), BLUE);
  const both = { [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour };
  await red.sees(both);
  await blue.sees(both);

  const [entry] = await red.page.evaluate(() => window.iceServers);
  assert.deepEqual(entry.urls, [`turn:127.0.0.1:${relay.port}?transport=udp`]);
  assert.match(entry.username, /^\d{10}:[0-9a-f-]{36}$/);
  const kinds = await red.page.evaluate(async () => {
    const kinds = [];
    for (const peer of window.peers.filter(({ connectionState }) => connectionState === 'connected')) {
      const report = await peer.getStats();
      for (const { selectedCandidatePairId } of [...report.values()].filter(({ type }) => type === 'transport')) {
        kinds.push(report.get(report.get(selectedCandidatePairId)?.localCandidateId)?.candidateType);
      }
    }
    return kinds;
  });
  assert.ok(kinds.length > 0 && kinds.every((kind) => kind === 'relay'), `${kinds}`);
  await Promise.all([red.page.close(), blue.page.close()]);
});
