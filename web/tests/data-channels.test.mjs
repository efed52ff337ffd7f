/** Data channels of Chromium against the engine, which a harness of the Rust side makes send back what comes. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startBrowser } from './support/browser.mjs';

// `cargo build --release -p media-core --example data_echo`
const HARNESS =
  process.env.SIGNALBOX_DATA_ECHO ??
  fileURLToPath(new URL('../../target/release/examples/data_echo', import.meta.url));

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser?.stop());

/** A page whose offer the harness has answered; `window.pc` is connected. */
async function connectedPage() {
  const member = await browser.memberPage();
  const { page } = member;
  const offer = await page.evaluate(async () => {
    window.pc = new RTCPeerConnection();
    pc.addTransceiver('audio', { direction: 'recvonly' });
    pc.addTransceiver('video', { direction: 'recvonly' });
    window.reliable = pc.createDataChannel('reliable', { protocol: 'echo' });
    window.lossy = pc.createDataChannel('lossy', { ordered: false, maxRetransmits: 0 });
    for (const channel of [reliable, lossy]) channel.binaryType = 'arraybuffer';
    // What comes before anybody listens would be lost.
    window.ours = new Promise((resolve) => {
      pc.ondatachannel = ({ channel }) => {
        window.said = [];
        channel.onmessage = ({ data }) => said.push(data);
        resolve(channel);
      };
    });
    await pc.setLocalDescription();
    while (pc.iceGatheringState !== 'complete') await new Promise((next) => setTimeout(next, 20));
    return pc.localDescription.sdp;
  });
  const harness = spawn(HARNESS, { stdio: ['pipe', 'pipe', 'inherit'] });
  harness.stdin.write(`${Buffer.from(offer).toString('hex')}\n`);
  const [line] = await once(createInterface({ input: harness.stdout }), 'line');
  const answer = Buffer.from(line, 'hex').toString();
  assert.match(answer, /m=application \d+ UDP\/DTLS\/SCTP webrtc-datachannel/);
  assert.match(answer, /a=max-message-size:65536/);
  await page.evaluate((sdp) => pc.setRemoteDescription({ type: 'answer', sdp }), answer);
  const opened = page.evaluate(() =>
    Promise.all(
      [reliable, lossy].map((channel) => channel.readyState === 'open' || new Promise((open) => (channel.onopen = open))),
    ).then(() => true),
  );
  assert.ok(await opened);
  return { page, stop: () => (harness.stdin.end(), page.close()) };
}

test('ten megabytes come back over a reliable channel, byte for byte', async () => {
  const { page, stop } = await connectedPage();
  const { received, differs, seconds } = await page.evaluate(async () => {
    const TOTAL = 10_000_000;
    const SIZE = 16_000;
    const UNDER_WAY = 128_000;
    const byte = (at) => (at * 31 + (at >> 8)) & 255;
    let sent = 0;
    let received = 0;
    let differs = 0;
    const began = performance.now();
    await new Promise((done) => {
      const more = () => {
        while (sent < TOTAL && sent - received < UNDER_WAY) {
          const part = Uint8Array.from({ length: Math.min(SIZE, TOTAL - sent) }, (_, at) => byte(sent + at));
          reliable.send(part);
          sent += part.length;
        }
      };
      reliable.onmessage = ({ data }) => {
        new Uint8Array(data).forEach((value, at) => (differs += value !== byte(received + at)));
        received += data.byteLength;
        if (received >= TOTAL) done();
        else more();
      };
      more();
    });
    return { received, differs, seconds: (performance.now() - began) / 1000 };
  });
  assert.deepEqual({ received, differs }, { received: 10_000_000, differs: 0 });
  console.log(`10 MB there and back in ${seconds.toFixed(1)} s`);
  await stop();
});

test('a lossy channel, texts, empty messages, and a channel that the server opens', async () => {
  const { page, stop } = await connectedPage();
  const echoes = await page.evaluate(async () => {
    const back = [];
    const wanted = 52;
    const all = new Promise((done) => {
      lossy.onmessage = ({ data }) => back.push(typeof data === 'string' ? data : data.byteLength) === wanted && done();
    });
    lossy.send('Grüße');
    lossy.send('');
    for (let n = 0; n < 50; n += 1) lossy.send(new Uint8Array(n * 100 + 1));
    await all;
    return back;
  });
  // On loopback nothing is lost; the order is not promised.
  const sizes = Array.from({ length: 50 }, (_, n) => n * 100 + 1);
  assert.deepEqual(echoes.filter((echo) => typeof echo === 'string').sort(), ['', 'Grüße']);
  assert.deepEqual(echoes.filter((echo) => typeof echo === 'number').sort((a, b) => a - b), sizes);

  const ours = await page.evaluate(async () => {
    const channel = await window.ours;
    const heard = async (count) => {
      while (said.length < count) await new Promise((next) => setTimeout(next, 20));
      return said;
    };
    await heard(1);
    channel.send('and back');
    const { label, protocol, ordered } = channel;
    return { label, protocol, ordered, said: await heard(2) };
  });
  assert.deepEqual(ours, { label: 'ours', protocol: 'greeting', ordered: true, said: ['grüß dich', 'and back'] });

  // Either side can end one; here the page does, and the other direction follows.
  const closed = await page.evaluate(async () => {
    const over = new Promise((done) => (reliable.onclose = done));
    reliable.close();
    await over;
    return reliable.readyState;
  });
  assert.equal(closed, 'closed');
  await stop();
});
