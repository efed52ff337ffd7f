/** A certificate of a private authority: pages, browser SDK and server SDKs over TLS, and its exchange while people talk. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { startAuthority } from './support/authority.mjs';
import { RED, startBrowser } from './support/browser.mjs';
import { ask, startServer } from './support/server.mjs';
import { until } from './support/until.mjs';

const WATCHER = fileURLToPath(new URL('./support/watcher.mjs', import.meta.url));

let authority;
let server;
let browser;
const watchers = [];
before(async () => {
  authority = await startAuthority();
  await authority.issue('first');
  server = await startServer(
    { SIGNALBOX__TLS__CERTIFICATE: authority.certificate, SIGNALBOX__TLS__KEY: authority.key },
    { ca: authority.pem },
  );
  browser = await startBrowser({ home: authority.home });
});
after(async () => {
  for (const { child } of watchers) child.kill();
  await browser?.stop();
  await server?.stop();
  await authority?.stop();
});

/** A server application that trusts the authority, or does not know it. */
function watch(sdk, trusts) {
  const child = spawn(process.execPath, [WATCHER, sdk, server.project, server.apiToken, server.ws], {
    env: { ...process.env, ...(trusts && { NODE_EXTRA_CA_CERTS: authority.file }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const watcher = { child, said: '' };
  child.stdout.on('data', (text) => (watcher.said += text));
  watchers.push(watcher);
  return { ...watcher, says: (line) => until(`${sdk} says ${line}`, () => watcher.said.split('\n').includes(line)), said: () => watcher.said };
}

/** The room page of our own binary, joined by clicking. */
async function joinByPage(room) {
  const page = await browser.context.newPage();
  await page.goto(`${server.http}/?room=${room}&name=Ada`);
  await page.getByRole('button', { name: 'Join', exact: true }).click();
  const time = () => page.evaluate(() => document.querySelector('#stage video')?.currentTime ?? 0);
  await until('the picture runs', async () => (await time()) > 0.5);
  return { page, time };
}

/** Name of the certificate that a new connection is shown. */
async function shown() {
  const socket = connect({ port: server.port, host: '127.0.0.1', ca: authority.pem });
  await once(socket, 'secureConnect');
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}

test('tokens lead to wss', async () => {
  const token = await server.roomToken('secure', 'Ada');
  const { ch } = JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));
  assert.equal(ch, server.ws);
  assert.match(ch, /^wss:/);
});

test('a server SDK that does not know the authority stays outside', async () => {
  const stranger = watch('realtime-api-v4', false);
  const failed = async () =>
    Number(/tls_handshakes_total\{result="failed"\} (\d+)/.exec((await ask(server, '/metrics')).text)?.[1] ?? 0);
  await until('it has tried', async () => (await failed()) > 0);
  assert.ok(!stranger.said().includes('connected'), 'it was refused by itself');
  stranger.child.kill();
});

test('page, browser SDK and both server SDKs meet over TLS, and an exchange of the certificate disturbs nobody', async () => {
  const applications = ['realtime-api-v3', 'realtime-api-v4'].map((sdk) => watch(sdk, true));
  for (const application of applications) await application.says('connected');

  const ada = await joinByPage('first-room');
  for (const application of applications) await application.says('room first-room');
  const red = await browser.memberPage();
  await red.join(await server.roomToken('first-room', 'Red'), RED);
  await until('Ada sees both', async () => (await ada.page.locator('#members .who').allTextContents()).join() === 'Ada (you),Red');

  await authority.issue('second');
  await until('the new certificate is shown', async () => (await shown()) === 'second');

  // Whoever was there stays, on the same sockets.
  const mark = await red.mark();
  await ada.page.getByRole('button', { name: 'Mute microphone', exact: true }).click();
  await red.event('member.updated', ({ member }) => member.audio_muted === true, { after: mark });
  const before = await ada.time();
  await until('the picture still runs', async () => (await ada.time()) > before + 0.5);

  // And whoever comes now is shown the new one.
  await joinByPage('second-room');
  for (const application of applications) await application.says('room second-room');
});
