/** Chromium with pages that are members of a room. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { until } from './until.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  '--disable-background-networking',
  '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection',
  '--disable-background-timer-throttling',
  '--disable-renderer-backgrounding',
  '--disable-backgrounding-occluded-windows',
  '--auto-select-desktop-capture-source=Entire screen',
];

/** Releases of the browser SDK, by the path of the member page that uses them. */
const SDKS = {
  '3.25.1': 'signalwire-js-3.25',
  '3.28.0': 'signalwire-js-3.28',
  '3.30.0': '@signalwire/js',
};
export const SDK_VERSIONS = Object.keys(SDKS);
const NEWEST = '3.30.0';

export const RED = { colour: [200, 40, 40], tone: 440 };
export const BLUE = { colour: [40, 60, 200], tone: 1150 };
export const GREEN = { colour: [30, 150, 60], tone: 2100 };
export const YELLOW = { colour: [190, 170, 40], tone: 3300 };

/** `home` is the home directory whose certificate store it trusts, if not that of the user. */
export async function startBrowser({ home } = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'signalbox-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    args: FLAGS,
    env: { ...process.env, ...(home && { HOME: home }) },
    viewport: { width: 1280, height: 800 },
    permissions: ['camera', 'microphone', 'clipboard-read', 'clipboard-write'],
  });
  const site = await startSite();
  return {
    context,
    /** A page that can become a member; `codec` is the only video codec it offers, `sdk` the release it uses. */
    async memberPage({ codec, stereo = false, sdk = NEWEST } = {}) {
      const page = await context.newPage();
      await page.addInitScript(watchConnections, { codec, stereo });
      await page.goto(`${site.url}${sdk}/`);
      return new Member(page);
    },
    async stop() {
      await context.close();
      site.stop();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** Serves the SDK as an application would; not from our server, which must not be needed for that. */
async function startSite() {
  const file = (path) => readFile(new URL(path, import.meta.url));
  const files = {};
  for (const [version, name] of Object.entries(SDKS)) {
    files[`/${version}/`] = ['text/html', await file('./member.html')];
    files[`/${version}/member.js`] = ['text/javascript', await file('./member.js')];
    files[`/${version}/sdk.js`] = ['text/javascript', await file(`../../node_modules/${name}/dist/index.umd.js`)];
  }
  const site = createServer((request, response) => {
    const [type, body] = files[request.url] ?? [];
    response.writeHead(body ? 200 : 404, { 'content-type': type ?? 'text/plain' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  return { url: `http://127.0.0.1:${site.address().port}/`, stop: () => site.close() };
}

/**
 * Runs in the page before the SDK: remembers peer connections, restricts what they offer, and asks for sound in two channels,
 * which the SDK's room sessions do not.
 */
function watchConnections({ codec, stereo }) {
  window.peers = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...parameters) {
      super(...parameters);
      window.peers.push(this);
    }

    async createOffer(...parameters) {
      const wanted = RTCRtpReceiver.getCapabilities('video').codecs.filter(({ mimeType }) =>
        [`video/${codec}`, 'video/rtx'].includes(mimeType),
      );
      if (codec) {
        this.getTransceivers()
          .filter(({ receiver }) => receiver.track.kind === 'video')
          .forEach((transceiver) => transceiver.setCodecPreferences(wanted));
      }
      const { type, sdp } = await super.createOffer(...parameters);
      return { type, sdp: stereo ? sdp.replaceAll('useinbandfec=1', 'useinbandfec=1;stereo=1') : sdp };
    }
  };
}

/** One page and the member in it. */
export class Member {
  constructor(page) {
    this.page = page;
  }

  /** Joins; rejects with the code and message that the SDK rejects with. */
  async join(token, { colour, tone, sends = true }) {
    const { value, error } = await this.page.evaluate((params) => member.join(params), { token, colour, tone, sends });
    if (error) throw Object.assign(new Error(`join: ${error.code} ${error.message}`), error);
    return Object.assign(this, value);
  }

  /** Calls a method of the room session; rejects with what the SDK rejects with. */
  async call(method, params) {
    const { value, error } = await this.page.evaluate(([m, p]) => member.call(m, p), [method, params]);
    if (error) throw Object.assign(new Error(`${method}: ${error.code} ${error.message}`), error);
    return value;
  }

  /** Joins as audience; the colour and the tone are what it will send once it is promoted. */
  watch(token, looks) {
    return this.join(token, { ...looks, sends: false });
  }

  /** Another leg of this member: resolves with its own member id. */
  async add(kind, params) {
    const { value, error } = await this.page.evaluate(([k, p]) => member.add(k, p), [kind, params]);
    if (error) throw Object.assign(new Error(`${kind}: ${error.code} ${error.message}`), error);
    return value;
  }

  /** Ends such a leg as its page would. */
  async end(id) {
    await this.page.evaluate((child) => member.end(child), id);
  }

  events() {
    return this.page.evaluate(() => member.events);
  }

  /** How many events came so far: what comes later is after this. */
  async mark() {
    return (await this.events()).length;
  }

  /** The payload of the first event of that name after `mark` that fits. */
  async event(name, fits = () => true, { after = 0, within = 10_000 } = {}) {
    const found = await until(
      `${name} at ${this.memberId ?? 'a member'}`,
      async () => (await this.events()).slice(after).find((event) => event.name === name && fits(event.payload)),
      within,
    );
    return found.payload;
  }

  levels(tones, ms = 3000, channel) {
    return this.page.evaluate(([t, m, c]) => member.levels(t, m, c), [tones, ms, channel]);
  }

  colours() {
    return this.page.evaluate(() => member.colours());
  }

  rectangles() {
    return this.page.evaluate(() => member.rectangles());
  }

  statistics() {
    return this.page.evaluate(() => member.statistics());
  }

  /** Waits until the picture shows each member's colour, and nobody else, in that member's rectangle. */
  async sees(expected, within = 8000) {
    let seen = {};
    try {
      await until('colours', async () => {
        seen = await this.colours();
        const ids = Object.keys(expected);
        return Object.keys(seen).length === ids.length && ids.every((id) => isNear(seen[id], expected[id]));
      }, within);
    } catch {
      assert.deepEqual(seen, expected, 'colours at the centres of the rectangles');
    }
  }
}

/**
 * Chromium captures a canvas in full-range BT.709. VP8 has no way to say so, and the picture is taken for limited-range
 * BT.601: up to 30 steps aside. Cameras are exact.
 */
export function isNear(seen, expected, tolerance = 45) {
  return seen !== undefined && seen.every((value, index) => Math.abs(value - expected[index]) <= tolerance);
}
