/** A tile client in a page: one flat colour as camera, one tone as microphone, and instruments that read what is drawn. */

import { TileClient } from '/tiles/client.js';

const EVENTS = ['state', 'members', 'layout', 'tiles', 'speakers', 'wanted', 'role', 'left'];

window.tile = {
  client: undefined,
  events: [],

  /** `options` are those of the client; `colour` "device" is the browser's own camera. */
  join: (options, looks) =>
    outcome(async () => {
      const stream = looks && (await streamOf(looks));
      const client = await TileClient.join({ ...options, stage: document.getElementById('stage'), stream });
      tile.client = client;
      for (const name of EVENTS) {
        client.on(name, (...payload) => tile.events.push({ name, payload: structuredClone(payload), at: performance.now() }));
      }
      return { memberId: client.memberId, roomSessionId: client.roomSessionId, callId: client.tiles()?.call_id };
    }),

  call: (method, ...parameters) => outcome(() => tile.client[method](...parameters)),

  /** A request on the client's own connection, as it is. */
  raw: (method, params) => outcome(() => tile.client.connection.request(method, params)),

  /** Everything that is drawn: per layer, what was announced, where its element is, and the colour in its middle. */
  drawn() {
    const { client } = tile;
    const stage = client.stage.picture.getBoundingClientRect();
    const percent = ({ left, top, width, height }) => ({
      x: (100 * (left - stage.left)) / stage.width,
      y: (100 * (top - stage.top)) / stage.height,
      width: (100 * width) / stage.width,
      height: (100 * height) / stage.height,
    });
    return client.stage.views().map(({ tile: announced, video }) => {
      const box = [...document.querySelectorAll('.sb-layer')].find((one) => one.dataset.member === announced.member_id);
      return {
        member: announced.member_id,
        slot: announced.slot,
        announced: { x: announced.x, y: announced.y, width: announced.width, height: announced.height },
        place: video && percent(video.getBoundingClientRect()),
        element: video && Number(video.dataset.slot),
        isShown: video ? getComputedStyle(video).opacity === '1' : false,
        colour: video && colourOf(video),
        standIn: box && !box.querySelector('.sb-stand-in').hidden ? box.querySelector('.sb-initials').textContent : undefined,
        label: box?.querySelector('.sb-label').textContent,
      };
    });
  },

  tiles: () => tile.client.tiles(),

  /** Colours that elements which are shown have had since `watch`, by member, with those that were wrong. */
  watch(expected) {
    tile.wrong = [];
    clearInterval(tile.watching);
    tile.watching = setInterval(() => {
      for (const { member, colour, isShown } of tile.drawn()) {
        if (isShown && colour && expected[member] && !isNear(colour, expected[member])) {
          tile.wrong.push({ member, colour, at: performance.now() });
        }
      }
    }, 20);
  },

  watched() {
    clearInterval(tile.watching);
    return tile.wrong;
  },

  look: () => tile.client.look(),

  /** Freezes of each slot since `freezesFrom`: the longest in seconds, by the browser's own statistics. */
  async countFreezes() {
    tile.freezes = {};
    const before = {};
    const look = async () => {
      for (const { slot, frozen, freezes } of (await tile.client.look()).slots) {
        const known = before[slot] ?? { frozen, freezes };
        const longest = tile.freezes[slot] ?? { longest: 0, count: 0 };
        tile.freezes[slot] = {
          longest: Math.max(longest.longest, frozen - known.frozen),
          count: longest.count + freezes - known.freezes,
        };
        before[slot] = { frozen, freezes };
      }
    };
    await look();
    clearInterval(tile.counting);
    tile.counting = setInterval(look, 100);
  },

  freezesFound() {
    clearInterval(tile.counting);
    return tile.freezes;
  },

  resize(width) {
    document.getElementById('stage').style.width = `${width}px`;
  },

  /** Level of a tone, in dB of full scale, in what the client plays; of one `player` alone when that is told. */
  async level(tone, ms = 2000, player = undefined) {
    const context = new AudioContext({ sampleRate: 48_000 });
    await context.resume();
    const analyser = new AnalyserNode(context, { fftSize: 16_384, smoothingTimeConstant: 0, minDecibels: -160 });
    const players = tile.client.players.filter((_, number) => player === undefined || number === player);
    for (const { srcObject } of players) context.createMediaStreamSource(srcObject).connect(analyser);
    await wait(500);
    const spectrum = new Float32Array(analyser.frequencyBinCount);
    const bin = Math.round((tone / 48_000) * 16_384);
    let [sum, count] = [0, 0];
    for (const end = performance.now() + ms; performance.now() < end; count += 1) {
      analyser.getFloatFrequencyData(spectrum);
      sum += 10 ** (Math.max(-160, ...spectrum.slice(bin - 3, bin + 4)) / 10);
      await wait(100);
    }
    await context.close();
    return 10 * Math.log10(sum / count);
  },
};

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function outcome(action) {
  try {
    const value = await action();
    return { value: value === undefined ? undefined : JSON.parse(JSON.stringify(value)) };
  } catch (error) {
    return { error: { code: error?.code, message: error?.message ?? String(error) } };
  }
}

const pixels = Object.assign(document.createElement('canvas'), { width: 16, height: 16 });
const context = pixels.getContext('2d', { willReadFrequently: true });

/** Mean of the middle of what the element shows now. */
function colourOf(video) {
  if (!video.videoWidth) return undefined;
  const { videoWidth: width, videoHeight: height } = video;
  context.drawImage(video, 0.4 * width, 0.4 * height, 0.2 * width, 0.2 * height, 0, 0, 16, 16);
  const { data } = context.getImageData(0, 0, 16, 16);
  const sum = [0, 0, 0];
  data.forEach((value, index) => index % 4 < 3 && (sum[index % 4] += value));
  return sum.map((total) => Math.round(total / 256));
}

const isNear = (seen, expected) => seen.every((value, index) => Math.abs(value - expected[index]) <= 45);

async function streamOf({ colour, tone, busy }) {
  const camera = colour === 'device' ? await deviceCamera() : colour && cameraOf(colour, busy);
  return new MediaStream([...(tone ? [microphoneOf(tone)] : []), ...(camera ? [camera] : [])]);
}

async function deviceCamera() {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720 } });
  return stream.getVideoTracks()[0];
}

/**
 * Large enough for three encodings; a still canvas would deliver no frames, so one corner blinks. A `busy` one takes all the
 * bits that an encoding may have: around the middle everything changes from frame to frame.
 */
function cameraOf(colour, busy = false) {
  const [width, height] = [960, 540];
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const picture = canvas.getContext('2d', { alpha: false });
  let phase = 0;
  const draw = () => {
    picture.fillStyle = `rgb(${colour.join(',')})`;
    picture.fillRect(0, 0, width, height);
    picture.fillStyle = '#666';
    picture.fillRect((phase = (phase + 8) % width), 0, 64, 64);
    for (let n = 0; busy && n < 900; n += 1) {
      const [x, y] = [Math.random() * width, Math.random() * height];
      if (Math.abs(x - width / 2) < width / 4 && Math.abs(y - height / 2) < height / 4) continue;
      picture.fillStyle = `hsl(${360 * Math.random()} 90% 50%)`;
      picture.fillRect(x, y, 24, 16);
    }
  };
  draw();
  setInterval(draw, 1000 / 20);
  return canvas.captureStream(20).getVideoTracks()[0];
}

function microphoneOf(frequency) {
  const audio = new AudioContext({ sampleRate: 48_000 });
  const oscillator = new OscillatorNode(audio, { frequency });
  const output = new MediaStreamAudioDestinationNode(audio, { channelCount: 1 });
  oscillator.connect(new GainNode(audio, { gain: 0.25 })).connect(output);
  oscillator.start();
  return output.stream.getAudioTracks()[0];
}
