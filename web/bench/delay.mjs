/**
 * How long a member's picture and sound need to another browser, through the room's canvas and mix; beside it the same
 * camera and microphone straight from one peer connection of a page to another, which is what browsers need themselves.
 *
 * The camera draws the time into its pixels, in blocks of black and white; the viewer reads them out of each picture that
 * leaves its decoder. The microphone beeps; an onset is timed where it is captured and where it is heard. All clocks are one machine's.
 *
 * Prints a JSON line for each: {"case":"canvas","what":"picture","p50":61.2,"p95":83.0,"count":540}. `DELAY_SECONDS` long.
 */

import { startBrowser } from '../tests/support/browser.mjs';
import { startServer } from '../tests/support/server.mjs';

const SECONDS = Number(process.env.DELAY_SECONDS ?? 20);

const server = await startServer();
// A browser each: only the page in front draws and shows at its full rate.
const browsers = [await startBrowser(), await startBrowser()];
try {
  const [{ page: sender }, { page: viewer }] = await Promise.all(browsers.map((browser) => browser.memberPage()));
  for (const page of [sender, viewer]) await page.evaluate(prepare);
  await sender.evaluate(() => (window.source = clockSource()));

  print('direct', await sender.evaluate(direct, SECONDS));
  await sender.evaluate(send, await server.roomToken('delay', 'Ann'));
  const heard = sender.evaluate(onsetsOfSource, SECONDS + 3);
  const received = await viewer.evaluate(receive, { token: await server.roomToken('delay', 'Bob', { join_as: 'audience' }), seconds: SECONDS });
  print('canvas', { pictures: received.pictures, sounds: matched(await heard, received.onsets) });
} finally {
  await Promise.all(browsers.map((browser) => browser.stop()));
  await server.stop();
}

function print(name, { pictures, sounds }) {
  for (const [what, delays] of Object.entries({ picture: pictures, sound: sounds })) {
    const sorted = [...delays].sort((a, b) => a - b);
    const at = (share) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.toFixed(1) ?? NaN);
    console.log(JSON.stringify({ case: name, what, p50: at(0.5), p95: at(0.95), count: sorted.length }));
  }
}

/** From each onset at the microphone to the next one that is heard within a second. */
function matched(sent, heard) {
  return sent.flatMap((at) => heard.filter((later) => later > at && later < at + 1000).slice(0, 1).map((later) => later - at));
}

/** Runs in every page: the instruments. */
function prepare() {
  const [BLOCKS, WIDTH, HEIGHT, ROWS] = [16, 640, 360, 120];
  const now = () => performance.timeOrigin + performance.now();

  /** A camera that draws the time, and a microphone that beeps once a second. */
  window.clockSource = () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
    const context = canvas.getContext('2d');
    const draw = () => {
      const time = Math.round(now()) % 2 ** BLOCKS;
      context.fillStyle = '#345';
      context.fillRect(0, ROWS, WIDTH, HEIGHT - ROWS);
      for (let block = 0; block < BLOCKS; block += 1) {
        context.fillStyle = (time >> block) & 1 ? 'white' : 'black';
        context.fillRect((block * WIDTH) / BLOCKS, 0, WIDTH / BLOCKS, ROWS);
      }
    };
    draw();
    setInterval(draw, 1000 / 30);
    const audio = new AudioContext({ sampleRate: 48_000, latencyHint: 'interactive' });
    const [gain, beeper, out] = [audio.createGain(), audio.createOscillator(), audio.createMediaStreamDestination()];
    beeper.frequency.value = 800;
    gain.gain.value = 0;
    beeper.connect(gain).connect(out);
    beeper.start();
    setInterval(() => {
      gain.gain.setValueAtTime(0.4, audio.currentTime + 0.02);
      gain.gain.setValueAtTime(0, audio.currentTime + 0.22);
    }, 1000);
    return new MediaStream([...canvas.captureStream(30).getTracks(), ...out.stream.getTracks()]);
  };

  /** Delays of the pictures of a track as they leave its decoder, by the time drawn in them. */
  window.watchClock = async (track, delays) => {
    const context = new OffscreenCanvas(BLOCKS, 1).getContext('2d', { willReadFrequently: true });
    // The middle of each block, not a mean with its neighbours.
    context.imageSmoothingEnabled = false;
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 1 }).readable.getReader();
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) return;
      const shown = now();
      const { displayWidth: width, displayHeight: height } = frame;
      context.drawImage(frame, 0, (height * ROWS) / HEIGHT / 4, width, (height * ROWS) / HEIGHT / 2, 0, 0, BLOCKS, 1);
      frame.close();
      const { data } = context.getImageData(0, 0, BLOCKS, 1);
      let time = 0;
      let clear = true;
      for (let block = 0; block < BLOCKS; block += 1) {
        const bright = data[block * 4];
        clear &&= bright < 80 || bright > 170;
        time += bright > 128 ? 2 ** block : 0;
      }
      const delay = (Math.round(shown) - time + 2 ** (BLOCKS + 1)) % 2 ** BLOCKS;
      if (clear && delay < 5000) delays.push(delay);
    }
  };

  /** When beeps begin in a track. */
  window.listenForBeeps = async (track, onsets) => {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    let quiet = true;
    for (;;) {
      const { value: data, done } = await reader.read();
      if (done) return;
      const samples = new Float32Array(data.numberOfFrames);
      data.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
      const loud = samples.findIndex((sample) => Math.abs(sample) > 0.05);
      if (quiet && loud >= 0) onsets.push(now() - ((data.numberOfFrames - loud) / data.sampleRate) * 1000);
      quiet = loud < 0;
      data.close();
    }
  };

  window.pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

  window.show = async (stream) => {
    const video = Object.assign(document.createElement('video'), { srcObject: stream, muted: true });
    document.body.append(video);
    await video.play();
    return video;
  };
}

/** Runs in the page: from one peer connection to another. */
async function direct(seconds) {
  const [from, to] = [new RTCPeerConnection(), new RTCPeerConnection()];
  from.onicecandidate = ({ candidate }) => to.addIceCandidate(candidate);
  to.onicecandidate = ({ candidate }) => from.addIceCandidate(candidate);
  const stream = new MediaStream();
  const there = new Promise((resolve) => {
    to.ontrack = ({ track }) => {
      stream.addTrack(track);
      if (stream.getTracks().length === 2) resolve();
    };
  });
  source.getTracks().forEach((track) => from.addTrack(track, source));
  await from.setLocalDescription();
  await to.setRemoteDescription(from.localDescription);
  await to.setLocalDescription();
  await from.setRemoteDescription(to.localDescription);
  await there;
  // Without an element that plays it, nothing is decoded.
  const video = await show(stream);
  await pause(3);
  const [pictures, sent, heard] = [[], [], []];
  watchClock(stream.getVideoTracks()[0].clone(), pictures);
  listenForBeeps(source.getAudioTracks()[0].clone(), sent);
  listenForBeeps(stream.getAudioTracks()[0].clone(), heard);
  await pause(seconds);
  from.close();
  to.close();
  video.remove();
  const next = (at) => heard.filter((later) => later > at && later < at + 1000).slice(0, 1);
  return { pictures, sounds: sent.flatMap((at) => next(at).map((later) => later - at)) };
}

/** Runs in the page: Ann, who has the clock. */
async function send(token) {
  const rootElement = document.body.appendChild(document.createElement('div'));
  window.session = new SignalWire.Video.RoomSession({ token, rootElement, localStream: source, applyLocalVideoOverlay: false });
  await session.join({ audio: true, video: true });
}

/** Runs in the page: when beeps leave the microphone. */
async function onsetsOfSource(seconds) {
  const onsets = [];
  listenForBeeps(source.getAudioTracks()[0].clone(), onsets);
  await pause(seconds);
  return onsets;
}

/** Runs in the page: Bob, who watches and listens. */
async function receive({ token, seconds }) {
  const rootElement = document.body.appendChild(document.createElement('div'));
  const session = new SignalWire.Video.RoomSession({ token, rootElement, applyLocalVideoOverlay: false });
  await session.join();
  await pause(3);
  const [pictures, onsets] = [[], []];
  watchClock(session.remoteStream.getVideoTracks()[0].clone(), pictures);
  listenForBeeps(session.remoteStream.getAudioTracks()[0].clone(), onsets);
  await pause(seconds);
  await session.leave();
  return { pictures, onsets };
}
