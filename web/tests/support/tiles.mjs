/** Pages with the tile client, built from its sources and served as an application would. */

import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { isNear } from './browser.mjs';
import { startUdpProxy } from './udp-proxy.mjs';
import { until } from './until.mjs';

const file = (path) => fileURLToPath(new URL(path, import.meta.url));

/** `browser` is one of `startBrowser`. */
export async function startTiles(browser) {
  const folder = await mkdtemp(join(tmpdir(), 'signalbox-tiles-'));
  await build({
    configFile: false,
    logLevel: 'error',
    root: file('../../'),
    build: { lib: { entry: { client: file('../../client/index.ts'), stage: file('../../client/stage.ts') }, formats: ['es'] }, outDir: folder },
  });
  const files = {
    '/tiles/': ['text/html', await readFile(file('./tiles.html'))],
    '/tiles/tiles.js': ['text/javascript', await readFile(file('./tiles.js'))],
  };
  for (const name of await readdir(folder)) files[`/tiles/${name}`] = ['text/javascript', await readFile(join(folder, name))];
  const site = createServer((request, response) => {
    const [type, body] = files[request.url] ?? [];
    response.writeHead(body ? 200 : 404, { 'content-type': type ?? 'text/plain' }).end(body);
  }).listen(0, '127.0.0.1');
  await once(site, 'listening');
  const proxies = [];
  return {
    /** A page that can become a member. One with a `seed` has an impaired link to the server: `member.link`. */
    async page({ seed } = {}) {
      const page = await browser.context.newPage();
      const member = new TileMember(page);
      if (seed !== undefined) {
        await page.exposeFunction('relayed', async (sdp) => {
          if (!member.link) {
            const [, port] = /^a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 (\d+) /im.exec(sdp);
            member.link = await startUdpProxy(Number(port), { seed });
            proxies.push(member.link);
          }
          return sdp.replace(/^(a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1) \d+ /gim, `$1 ${member.link.port} `);
        });
        await page.addInitScript(relayAnswers);
      }
      await page.goto(`http://127.0.0.1:${site.address().port}/tiles/`);
      await page.waitForFunction(() => window.tile !== undefined);
      return member;
    },
    async stop() {
      proxies.forEach((proxy) => proxy.stop());
      site.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Runs in the page before the client: the server is where the relay is. */
function relayAnswers() {
  window.RTCPeerConnection = class extends RTCPeerConnection {
    async setRemoteDescription({ type, sdp }) {
      return super.setRemoteDescription({ type, sdp: await window.relayed(sdp) });
    }
  };
}

/** One page and the member in it. */
export class TileMember {
  constructor(page) {
    this.page = page;
  }

  async join(options, looks) {
    const { value, error } = await this.page.evaluate(([o, l]) => tile.join(o, l), [options, looks]);
    if (error) throw Object.assign(new Error(`join: ${error.code} ${error.message}`), error);
    return Object.assign(this, value, { looks });
  }

  async call(method, ...parameters) {
    const { value, error } = await this.page.evaluate(([m, p]) => tile.call(m, ...p), [method, parameters]);
    if (error) throw Object.assign(new Error(`${method}: ${error.code} ${error.message}`), error);
    return value;
  }

  /** The outcome of a request as it stands: a value, or an error with its code. */
  raw(method, params) {
    return this.page.evaluate(([m, p]) => tile.raw(m, p), [method, params]);
  }

  drawn() {
    return this.page.evaluate(() => tile.drawn());
  }

  tiles() {
    return this.page.evaluate(() => tile.tiles());
  }

  look() {
    return this.page.evaluate(() => tile.look());
  }

  events(name) {
    return this.page.evaluate((of) => tile.events.filter((event) => event.name === of).map(({ payload }) => payload), name);
  }

  resize(width) {
    return this.page.evaluate((to) => tile.resize(to), width);
  }

  /** In everything that is played, or in what comes in one audio slot. */
  level(tone, { slot } = {}) {
    return this.page.evaluate(([of, number]) => tile.level(of, 2000, number ?? undefined), [tone, slot ?? null]);
  }

  watch(expected) {
    return this.page.evaluate((colours) => tile.watch(colours), expected);
  }

  watched() {
    return this.page.evaluate(() => tile.watched());
  }

  countFreezes() {
    return this.page.evaluate(() => tile.countFreezes());
  }

  freezesFound() {
    return this.page.evaluate(() => tile.freezesFound());
  }

  /** Waits until exactly these members are drawn, each in its colour where its layer was announced. */
  async sees(expected, within = 15_000) {
    let drawn = [];
    const isRight = ({ member, colour, isShown, place, announced, standIn }) =>
      isNear(colour, expected[member]) && isShown && standIn === undefined && isSamePlace(place, announced);
    try {
      await until('colours', async () => {
        drawn = await this.drawn();
        return drawn.length === Object.keys(expected).length && drawn.every((one) => expected[one.member] && isRight(one));
      }, within);
    } catch {
      throw new Error(`drawn: ${JSON.stringify(drawn)}, expected ${JSON.stringify(expected)}`);
    }
    return drawn;
  }

  /** Waits until the picture of that member is as wide as `fits` wants; resolves with its slot's statistics. */
  async receives(memberId, what, fits, within = 20_000) {
    let seen;
    try {
      return await until(what, async () => {
        const slot = (await this.tiles()).video.find((one) => one.member_id === memberId)?.slot;
        seen = (await this.look()).slots.find((one) => one.slot === slot);
        return seen && fits(seen) && seen;
      }, within);
    } catch {
      throw new Error(`${what}: ${JSON.stringify(seen)}`);
    }
  }
}

/** The same rectangle in percent, but for a pixel. */
export function isSamePlace(one, other) {
  return Boolean(one && other) && ['x', 'y', 'width', 'height'].every((edge) => Math.abs(one[edge] - other[edge]) < 0.2);
}
