/**
 * Two members in browsers and two of another WebRTC stack in each of the layouts that `getLayouts` names first: everybody
 * who has a place is seen there, from edge to edge, by both browsers.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BLUE, GREEN, RED, YELLOW, isNear } from './support/browser.mjs';
import { until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const MEMBER =
  process.env.SIGNALBOX_COLOURED_MEMBER ??
  fileURLToPath(new URL('../../target/release/examples/coloured_member', import.meta.url));
/** A folder for screenshots, when somebody wants to look. */
const PICTURES = process.env.SIGNALBOX_PICTURES;
const FIRST = ['grid-responsive', 'grid-responsive-mobile', 'highlight-1-responsive', '1x1', '2x1', '2x2', '5up'].concat(
  ['3x3', '4x4', '5x5', '6x6', '8x8', '10x10'],
);
/** How many of four members each has room for, and what its first and last slots are called. */
const SEATED = { '1x1': 1, '2x1': 2 };
const SLOTS = {
  'grid-responsive': 4,
  'grid-responsive-mobile': 4,
  'highlight-1-responsive': 6,
  ...{ '1x1': 1, '2x1': 2, '2x2': 4, '5up': 5, '3x3': 9, '4x4': 16, '5x5': 25, '6x6': 36, '8x8': 64, '10x10': 100 },
};

const { server, browser } = await serverAndBrowser();
let red, blue;
const rust = [];
const colours = {};

before(async () => {
  // Nobody is heard, so that nobody takes a place by speaking.
  const token = (name) => server.roomToken('layouts', name, { join_audio_muted: true });
  red = await browser.memberPage();
  await red.join(await token('Red'), RED);
  blue = await browser.memberPage({ codec: 'VP8' });
  await blue.join(await token('Blue'), BLUE);
  colours[red.memberId] = RED.colour;
  colours[blue.memberId] = BLUE.colour;
  for (const [name, { colour }] of [['Green', GREEN], ['Yellow', YELLOW]]) {
    const child = spawn(MEMBER, [server.ws, await token(name), ...colour.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] });
    rust.push(child);
    const [id] = await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`${MEMBER} ended with ${code}`))),
    ]);
    colours[id] = colour;
  }
});

test('the layouts named first are these', async () => {
  const { layouts } = await red.call('getLayouts');
  assert.deepEqual(layouts.slice(0, FIRST.length), FIRST);
});

for (const name of FIRST) {
  test(`four members in ${name}`, async () => {
    const marks = [await red.mark(), await blue.mark()];
    await red.call('setLayout', { name });
    const seated = SEATED[name] ?? 4;
    for (const [n, member] of [red, blue].entries()) {
      const is = ({ layout }) =>
        layout.name === name && layout.layers.filter(({ member_id }) => member_id).length === seated;
      // The first of them is in force already.
      const { layout } = await member.event('layout.changed', is, { after: name === FIRST[0] ? 0 : marks[n] });
      assert.equal(layout.layers.length, SLOTS[name] + 2);
      assert.deepEqual(layout.layers.slice(-2).map(({ position }) => position), ['playback', 'full-screen']);
      const first = name === 'highlight-1-responsive' ? 'reserved-1' : 'standard-1';
      assert.equal(layout.layers[0].position, first);
      await seen(member, layout);
    }
    if (PICTURES) {
      await mkdir(PICTURES, { recursive: true });
      await red.page.locator('#stage').screenshot({ path: `${PICTURES}/${name}.png` });
    }
  });
}

/** Whoever has a layer is seen in its middle and near its edges; where nobody is, nobody is seen. */
async function seen(member, { layers }) {
  const points = layers.flatMap(({ member_id, x, y, width, height, position }) => {
    const at = (fx, fy) => [x + width * fx, y + height * fy];
    if (member_id) {
      // Not at the lower left, where the name is.
      const places = [at(0.5, 0.5), at(0.12, 0.16), at(0.88, 0.16), at(0.88, 0.6)];
      return places.map((place) => ({ position, place, colour: colours[member_id] }));
    }
    return position.startsWith('standard') ? [{ position, place: at(0.5, 0.5), colour: null }] : [];
  });
  let found = [];
  const fits = (seen, colour) =>
    colour ? isNear(seen, colour) : !Object.values(colours).some((known) => isNear(seen, known));
  const wrong = () =>
    points
      .map((point, n) => ({ ...point, seen: found[n] }))
      .filter(({ seen, colour }) => !seen || !fits(seen, colour));
  try {
    await until('colours', async () => {
      found = await member.page.evaluate((places) => member.coloursAt(places), points.map(({ place }) => place));
      return wrong().length === 0;
    }, 8000);
  } catch {
    assert.deepEqual(wrong(), [], 'colours at announced rectangles');
  }
}

test('the members in Rust leave well', async () => {
  for (const child of rust) {
    const ended = child.exitCode === null ? once(child, 'exit') : Promise.resolve([child.exitCode]);
    child.stdin.end();
    assert.equal((await ended)[0], 0);
  }
});
