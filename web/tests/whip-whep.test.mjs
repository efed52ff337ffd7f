/** The pages that publish by WHIP and play by WHEP, used as a person does, beside an SDK member in the same room. */

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BLUE, GREEN, isNear, RED } from './support/browser.mjs';
import { sleep, until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const PICTURES = fileURLToPath(new URL('../../target/page/', import.meta.url));

const { server, browser } = await serverAndBrowser();
await mkdir(PICTURES, { recursive: true });

/** Opens a page with instruments, and with that colour and tone as camera and microphone. */
async function open(path, looks = {}) {
  const page = await browser.context.newPage();
  await page.addInitScript(instruments, looks);
  await page.goto(`${server.http}${path}`);
  const button = (name) => page.getByRole('button', { name, exact: true });
  return { page, button, colourAt: (x, y) => page.evaluate(([x, y]) => colourAt(x, y), [x, y]) };
}

async function publish(room, name, looks) {
  const studio = await open(`/whip.html?${new URLSearchParams({ room, name })}`, looks);
  await studio.button('Publish').click();
  await studio.page.getByText('On air.').waitFor();
  return studio;
}

async function watch(room, member = '') {
  const player = await open(`/whep.html?${new URLSearchParams({ room, member })}`);
  await player.button('Watch').click();
  await player.page.getByText('Playing.').waitFor();
  return player;
}

/** Runs in the page before everything else. */
function instruments({ colour, tone }) {
  const peers = [];
  globalThis.peers = peers;
  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...parameters) {
      super(...parameters);
      peers.push(this);
    }
  };

  /** Mean colour around a place of the picture, in per cent. */
  globalThis.colourAt = (x, y) => {
    const video = document.getElementById('picture');
    if (!video.videoWidth) return undefined;
    const canvas = Object.assign(document.createElement('canvas'), { width: video.videoWidth, height: video.videoHeight });
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    const at = [(x / 100) * video.videoWidth - 6, (y / 100) * video.videoHeight - 6].map(Math.round);
    const { data } = context.getImageData(...at, 12, 12);
    return [0, 1, 2].map((part) => {
      const values = data.filter((_, index) => index % 4 === part);
      return Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
    });
  };

  /** Level of each tone in what is played, in dB of full scale. */
  globalThis.levels = async (tones) => {
    const context = new AudioContext({ sampleRate: 48_000 });
    await context.resume();
    const analyser = new AnalyserNode(context, { fftSize: 16_384, smoothingTimeConstant: 0, minDecibels: -160 });
    const audio = document.getElementById('picture').srcObject.getAudioTracks();
    context.createMediaStreamSource(new MediaStream(audio)).connect(analyser);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const spectrum = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(spectrum);
    await context.close();
    return tones.map((wanted) => {
      const bin = Math.round((wanted / 48_000) * 16_384);
      return Math.max(...spectrum.slice(bin - 3, bin + 4));
    });
  };

  if (colour) {
    navigator.mediaDevices.getUserMedia = async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
      const context = canvas.getContext('2d', { alpha: false });
      let blink = false;
      setInterval(() => {
        context.fillStyle = `rgb(${colour.join(',')})`;
        context.fillRect(0, 0, 640, 360);
        // A still canvas would deliver no frames.
        context.fillStyle = (blink = !blink) ? '#888' : '#444';
        context.fillRect(0, 0, 8, 8);
      }, 1000 / 15);
      const sound = new AudioContext({ sampleRate: 48_000 });
      const oscillator = new OscillatorNode(sound, { frequency: tone });
      const output = new MediaStreamAudioDestinationNode(sound, { channelCount: 1 });
      oscillator.connect(new GainNode(sound, { gain: 0.25 })).connect(output);
      oscillator.start();
      return new MediaStream([...output.stream.getTracks(), ...canvas.captureStream(15).getTracks()]);
    };
  }
}

/** Centres of the members' rectangles, in per cent. */
async function centres(member) {
  const rectangles = Object.entries(await member.rectangles());
  return Object.fromEntries(rectangles.map(([id, { x, y, width, height }]) => [id, [x + width / 2, y + height / 2]]));
}

async function sees(player, member, expected) {
  let seen;
  await until('the colours of everybody', async () => {
    const places = await centres(member);
    seen = {};
    for (const [id, place] of Object.entries(places)) seen[id] = await player.colourAt(...place);
    return Object.keys(expected).every((id) => isNear(seen[id], expected[id]));
  }).catch(() => assert.deepEqual(seen, expected));
}

test('a publisher is seen and heard by an SDK member and by a player, until it stops', async () => {
  const blue = await browser.memberPage();
  await blue.join(await server.roomToken('studio', 'Blue'), BLUE);
  const mark = await blue.mark();
  const studio = await publish('studio', 'Encoder', RED);
  const { member } = await blue.event('member.joined', ({ member }) => member.name === 'Encoder', { after: mark });
  assert.equal(member.type, 'member');
  const both = { [blue.memberId]: BLUE.colour, [member.id]: RED.colour };
  await blue.sees(both);
  const [heard] = await blue.levels([RED.tone]);
  assert.ok(heard > -45, `${heard} dB at the member`);

  const player = await watch('studio');
  await sees(player, blue, both);
  const tones = await player.page.evaluate((wanted) => levels(wanted), [RED.tone, BLUE.tone, GREEN.tone]);
  assert.ok(tones[0] > -45 && tones[1] > -45 && tones[2] < -70, `both are heard, and nothing else: ${tones}`);
  const outgoing = await player.page.evaluate(() => peers[0].getTransceivers().map(({ currentDirection }) => currentDirection));
  assert.deepEqual(outgoing, ['recvonly', 'recvonly']);
  await studio.page.screenshot({ path: `${PICTURES}whip.png` });
  await player.page.screenshot({ path: `${PICTURES}whep.png` });

  // The path is gone, then there is another: media goes on by new credentials.
  const before = await studio.page.evaluate(() => peers[0].remoteDescription.sdp.match(/ice-ufrag:(.*)/)[1]);
  await studio.page.evaluate(() => {
    const [peer] = peers;
    Object.defineProperty(peer, 'connectionState', { get: () => 'failed', configurable: true });
    peer.dispatchEvent(new Event('connectionstatechange'));
    delete peer.connectionState;
  });
  await until('new credentials', () =>
    studio.page.evaluate((before) => peers[0].remoteDescription.sdp.match(/ice-ufrag:(.*)/)[1] !== before, before),
  );
  await until('the path is there', () => studio.page.evaluate(() => peers[0].iceConnectionState === 'connected'));
  await sleep(2000);
  await sees(player, blue, both);

  await studio.button('Stop').click();
  await studio.page.getByText('Stopped.').waitFor();
  await blue.event('member.left', (left) => left.member.id === member.id);
  await blue.sees({ [blue.memberId]: BLUE.colour });
  await Promise.all([blue.page.close(), studio.page.close(), player.page.close()]);
});

test('one member is played alone, until it leaves', async () => {
  const blue = await browser.memberPage();
  await blue.join(await server.roomToken('alone', 'Blue'), BLUE);
  const studio = await publish('alone', 'Encoder', RED);
  const { member } = await blue.event('member.joined', ({ member }) => member.name === 'Encoder');
  const player = await watch('alone', member.id);
  let seen;
  await until('its picture, everywhere', async () => {
    seen = [await player.colourAt(10, 50), await player.colourAt(50, 50), await player.colourAt(90, 90)];
    return seen.every((colour) => isNear(colour, RED.colour));
  }).catch(() => assert.deepEqual(seen, [RED.colour, RED.colour, RED.colour]));
  const [own, others] = await player.page.evaluate((wanted) => levels(wanted), [RED.tone, BLUE.tone]);
  assert.ok(own > -45 && own - others >= 20, `its tone ${own} dB, that of the other ${others} dB`);
  await player.page.screenshot({ path: `${PICTURES}whep-member.png` });
  await studio.button('Stop').click();
  await player.page.getByText('The call has ended.').waitFor();
  const other = await open('/whep.html?room=alone&member=nobody');
  await other.button('Watch').click();
  await other.page.getByRole('alert').getByText('no such member').waitFor();
  await Promise.all([blue.page.close(), studio.page.close(), player.page.close(), other.page.close()]);
});

test('a page that is closed leaves at once', async () => {
  const blue = await browser.memberPage();
  await blue.join(await server.roomToken('closing', 'Blue'), BLUE);
  const studio = await publish('closing', 'Encoder', RED);
  const { member } = await blue.event('member.joined', ({ member }) => member.name === 'Encoder');
  await studio.page.close({ runBeforeUnload: false });
  await blue.event('member.left', (left) => left.member.id === member.id, { within: 5000 });
  await blue.page.close();
});

test('who is put out, or not let in, is told so', async () => {
  const host = await browser.memberPage();
  await host.join(await server.roomToken('door', 'Host'), BLUE);
  const studio = await publish('door', 'Encoder', RED);
  const { member } = await host.event('member.joined', ({ member }) => member.name === 'Encoder');
  await host.call('removeMember', { memberId: member.id });
  await studio.page.getByText('The call has ended.').waitFor();
  await studio.button('Publish').waitFor();
  await host.call('lock');
  await studio.button('Publish').click();
  await studio.page.getByRole('alert').getByText('the room is locked').waitFor();
  const player = await open('/whep.html?room=door');
  await player.button('Watch').click();
  await player.page.getByRole('alert').getByText('the room is locked').waitFor();
  await player.page.screenshot({ path: `${PICTURES}whep-refused.png` });
  await Promise.all([host.page.close(), studio.page.close(), player.page.close()]);
});

test('the start page leads to both', async () => {
  const { page } = await open('/');
  await page.getByRole('link', { name: 'publish by WHIP' }).click();
  await page.getByRole('heading', { name: 'Publish' }).waitFor();
  await page.getByLabel('Room', { exact: true }).fill('linked');
  await page.getByRole('link', { name: 'Watch it' }).click();
  await page.getByRole('heading', { name: 'Watch' }).waitFor();
  assert.equal(await page.getByLabel('Room', { exact: true }).inputValue(), 'linked');
  await page.close();
});
