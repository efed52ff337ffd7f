/**
 * A member in a page: one flat colour as camera, one tone as microphone, the unmodified browser SDK between, and
 * instruments that read colours and tones out of what comes back.
 */

const member = {
  session: undefined,
  events: [],
  tone: undefined,
  /** What the next camera, microphone or screen that the SDK asks for looks and sounds like. */
  devices: {},
  /** Screens and devices by member id. */
  children: {},

  /**
   * Without a colour there is no camera, without a tone no microphone; colour "device" is the browser's own camera. One
   * who does not send asks for devices when it is promoted.
   */
  async join({ token, colour, tone, sends }) {
    member.devices = { colour, tone };
    const localStream = sends ? await streamOf({ video: colour, audio: tone }) : undefined;
    const session = new SignalWire.Video.RoomSession({
      token,
      rootElement: document.getElementById('stage'),
      localStream,
      applyLocalVideoOverlay: false,
      // Unmuting would else replace the colour and the tone with the browser's own fake devices.
      stopCameraWhileMuted: false,
      stopMicrophoneWhileMuted: false,
      // The SDK then takes a call for lost whose packets pause for 2 s.
      watchMediaPackets: true,
    });
    member.session = session;
    for (const name of EVENTS) {
      session.on(name, (payload) => member.events.push({ name, payload: told(name, payload), at: performance.now() }));
    }
    return outcome(async () => {
      const sending = { audio: Boolean(tone), video: Boolean(colour), receiveAudio: true, receiveVideo: true };
      await session.join(sends ? sending : undefined);
      return { memberId: session.memberId, roomSessionId: session.roomSessionId, callId: session.callId };
    });
  },

  call: (method, params) => outcome(() => member.session[method](params)),

  /** Starts a recording; later the object that the SDK gives for it is told to `pause`, `resume` or `stop`; or a `list`. */
  record: (action) =>
    outcome(async () => {
      if (action === 'list') {
        return (await member.session.getRecordings()).recordings.map(({ id, state }) => ({ id, state }));
      }
      if (action) return member.recording[action]();
      member.recording = await member.session.startRecording();
      return { id: member.recording.id, state: member.recording.state };
    }),

  /** `startScreenShare`, `addCamera`, `addMicrophone` or `addDevice`, with what that source looks and sounds like. */
  add: (kind, { colour, tone, ...params } = {}) =>
    outcome(async () => {
      const own = member.devices;
      member.devices = { colour, tone };
      const child = await member.session[kind](params).finally(() => (member.devices = own));
      member.children[child.memberId] = child;
      return { memberId: child.memberId };
    }),

  end: (id) => outcome(() => member.children[id].leave()),

  /**
   * The video element with what is received: the SDK's own, unless its track has ended. From 3.28 on the SDK leaves it
   * with the old track when a promotion brings a new one.
   */
  picture() {
    const shown = document.querySelector('#stage video');
    const [track] = member.session?.remoteStream?.getVideoTracks() ?? [];
    if (!track || shown?.srcObject?.getTracks().some(({ readyState }) => readyState === 'live')) return shown;
    if (member.spare?.srcObject.getTracks()[0] !== track) {
      member.spare = Object.assign(document.createElement('video'), { srcObject: new MediaStream([track]), muted: true });
      member.spare.play();
    }
    return member.spare;
  },

  /** Mean colour at the centre of every rectangle of the last layout that shows a member. */
  colours() {
    const video = member.picture();
    const layout = member.events.findLast((event) => event.name === 'layout.changed')?.payload.layout;
    if (!video?.videoWidth || !layout) return {};
    const canvas = Object.assign(document.createElement('canvas'), { width: video.videoWidth, height: video.videoHeight });
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    const at = (x, y) => meanAround(context, x, y);
    const shown = layout.layers.filter((layer) => layer.member_id);
    return Object.fromEntries(
      shown.map(({ member_id, x, y, width, height }) => [
        member_id,
        at(((x + width / 2) / 100) * video.videoWidth, ((y + height / 2) / 100) * video.videoHeight),
      ]),
    );
  },

  /** Mean colours around places, in per cent of the picture. */
  coloursAt(places) {
    const video = member.picture();
    if (!video?.videoWidth) return [];
    const canvas = Object.assign(document.createElement('canvas'), { width: video.videoWidth, height: video.videoHeight });
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    return places.map(([x, y]) => meanAround(context, (x / 100) * canvas.width, (y / 100) * canvas.height));
  },

  /** The same place of one's own camera and of the received picture, which one's camera fills alone. */
  async ownCameraThereAndBack([x, y]) {
    const local = Object.assign(document.createElement('video'), { srcObject: member.session.localStream, muted: true });
    await local.play();
    await wait(500);
    return [local, document.querySelector('#stage video')].map((video) => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
      const context = canvas.getContext('2d', { willReadFrequently: true });
      context.drawImage(video, 0, 0, 640, 360);
      return meanAround(context, x * 640, y * 360);
    });
  },

  /** Rectangles of the last layout by member. */
  rectangles() {
    const layout = member.events.findLast((event) => event.name === 'layout.changed')?.payload.layout;
    const shown = layout?.layers.filter((layer) => layer.member_id) ?? [];
    return Object.fromEntries(shown.map(({ member_id, x, y, width, height }) => [member_id, { x, y, width, height }]));
  },

  /**
   * Level of each tone in the received track, in dB of full scale, averaged as power over `ms`: of both channels together, or
   * of one of two.
   */
  async levels(tones, ms, channel) {
    const context = new AudioContext({ sampleRate: 48_000 });
    await context.resume();
    const audio = new MediaStream(member.session.remoteStream.getAudioTracks());
    // Chromium decodes a remote track only while some element plays it.
    const sink = Object.assign(new Audio(), { srcObject: audio, muted: true });
    sink.play();
    const analyser = new AnalyserNode(context, { fftSize: 16_384, smoothingTimeConstant: 0, minDecibels: -160 });
    const source = context.createMediaStreamSource(audio);
    if (channel === undefined) source.connect(analyser);
    else source.connect(new ChannelSplitterNode(context, { numberOfOutputs: 2 })).connect(analyser, channel);
    await wait(500); // one whole window
    const spectrum = new Float32Array(analyser.frequencyBinCount);
    const sums = tones.map(() => 0);
    const end = performance.now() + ms;
    let count = 0;
    while (performance.now() < end) {
      analyser.getFloatFrequencyData(spectrum);
      tones.forEach((tone, index) => {
        const bin = Math.round((tone / 48_000) * 16_384);
        const around = spectrum.slice(bin - 3, bin + 4);
        sums[index] += Math.max(...around.map((db) => 10 ** (Math.max(db, -160) / 10)));
      });
      count += 1;
      await wait(100);
    }
    await context.close();
    sink.srcObject = null;
    return sums.map((sum) => 10 * Math.log10(sum / count));
  },

  /** What the browser's own statistics say of both directions. */
  async statistics() {
    const reports = [];
    for (const peer of peers) (await peer.getStats()).forEach((report) => reports.push(report));
    const mime = (id) => reports.find((report) => report.id === id)?.mimeType;
    const of = (type, kind) => reports.findLast((report) => report.type === type && report.kind === kind);
    const [videoIn, videoOut] = [of('inbound-rtp', 'video'), of('outbound-rtp', 'video')];
    return {
      receivedCodec: mime(videoIn?.codecId),
      sentCodec: mime(videoOut?.codecId),
      framesDecoded: videoIn?.framesDecoded ?? 0,
      // Bits per second that the browser believes it may send.
      estimate: Math.max(0, ...reports.map((report) => report.availableOutgoingBitrate ?? 0)),
      transports: new Set(reports.filter((report) => report.type === 'transport').map((report) => report.id)).size,
    };
  },

  silence(silent) {
    member.tone.gain.value = silent ? 0 : LOUDNESS;
  },
};

const LOUDNESS = 0.25;
const EVENTS = [
  ...['room.joined', 'room.subscribed', 'room.updated', 'room.left', 'room.audienceCount', 'layout.changed'],
  ...['member.promoted', 'member.demoted', 'recording.started', 'recording.updated', 'recording.ended'],
  ...['member.joined', 'member.updated', 'member.left', 'member.talking', 'memberList.updated'],
  ...['media.connected', 'media.reconnecting', 'media.disconnected'],
];

/** An event's payload as data; of a recording the SDK gives its own object. */
function told(name, payload) {
  if (!name.startsWith('recording.')) return plain(payload);
  const { id, state, duration } = payload;
  return { recording: { id, state, duration } };
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What came of an action, as data that can leave the page. */
async function outcome(action) {
  try {
    return { value: plain(await action()) };
  } catch (error) {
    return { error: { code: error?.code, message: error?.message ?? String(error) } };
  }
}

/** Events may hold live objects of the SDK; only data leaves the page. */
function plain(value) {
  try {
    return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
  } catch {
    return undefined;
  }
}

/** A still canvas would deliver no frames, so one corner blinks. */
function cameraOf(colour) {
  const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 180 });
  const context = canvas.getContext('2d', { alpha: false });
  let blink = false;
  const draw = () => {
    context.fillStyle = `rgb(${colour.join(',')})`;
    context.fillRect(0, 0, 320, 180);
    context.fillStyle = blink ? '#888' : '#444';
    context.fillRect(0, 0, 8, 8);
    blink = !blink;
  };
  draw();
  setInterval(draw, 1000 / 15);
  return canvas.captureStream(15).getVideoTracks()[0];
}

/** The SDK's own requests get the colours and tones, as if they were devices. */
const realDevices = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
for (const request of ['getUserMedia', 'getDisplayMedia']) {
  navigator.mediaDevices[request] = (wanted) =>
    streamOf({ video: wanted.video && member.devices.colour, audio: wanted.audio && member.devices.tone });
}

async function streamOf({ video, audio }) {
  const camera = video === 'device' ? await deviceCamera() : video && cameraOf(video);
  return new MediaStream([...(audio ? [microphoneOf(audio)] : []), ...(camera ? [camera] : [])]);
}

async function deviceCamera() {
  const stream = await realDevices({ video: { width: 640, height: 360 } });
  return stream.getVideoTracks()[0];
}

function microphoneOf(frequency) {
  const context = new AudioContext({ sampleRate: 48_000 });
  const oscillator = new OscillatorNode(context, { frequency });
  member.tone = new GainNode(context, { gain: LOUDNESS });
  const output = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
  oscillator.connect(member.tone).connect(output);
  oscillator.start();
  return output.stream.getAudioTracks()[0];
}

function meanAround(context, x, y) {
  return mean(context.getImageData(Math.round(x) - 6, Math.round(y) - 6, 12, 12).data);
}

function mean(pixels) {
  const sum = [0, 0, 0];
  pixels.forEach((value, index) => index % 4 < 3 && (sum[index % 4] += value));
  return sum.map((total) => Math.round(total / (pixels.length / 4)));
}
