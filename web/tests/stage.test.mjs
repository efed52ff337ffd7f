/** Who is drawn where while slots go over from one member to another: the stage of the tile client alone, without a room. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser } from './support/browser.mjs';
import { startTiles } from './support/tiles.mjs';

let browser, tiles, page;
before(async () => {
  browser = await startBrowser();
  tiles = await startTiles(browser);
  ({ page } = await tiles.page());
  await page.evaluate(prepare);
});
after(async () => {
  await tiles?.stop();
  await browser?.stop();
});

/** Runs in the page: a stage with two slots whose pictures come when the test says so. */
async function prepare() {
  const { Stage, initials } = await import('/tiles/stage.js');
  window.initials = initials;
  window.begin = () => {
    window.members = Object.fromEntries(['ada', 'bob', 'cleo'].map((id) => [id, { id, name: id, videoMuted: false }]));
    // A captured canvas that is never told to gives no picture.
    const silent = () => document.createElement('canvas').captureStream(0).getVideoTracks()[0];
    window.camera = silent();
    window.stage = new Stage(document.getElementById('stage'), { find: (id) => members[id] });
    stage.bind([silent(), silent()]);
  };
  window.tiles = (...layers) => {
    stage.show(
      layers.map(([member_id, slot, encoding = null], layer) => ({
        ...{ layer_index: layer, z_index: layer, x: 50 * layer, y: 0, width: 50, height: 50, fit: 'auto' },
        ...{ member_id, slot, encoding },
      })),
    );
    window.said = performance.now();
  };
  window.mute = (id, videoMuted) => {
    members[id].videoMuted = videoMuted;
    stage.membersChanged();
    window.said = performance.now();
  };
  /** A picture in a slot whose packets came so many ms after the last word. */
  window.frame = (slot, ms) => stage.onFrame(stage.slots[slot], said + ms);
  /** Per layer its member and the number of the element that shows it, as it is on the page. */
  window.drawn = () =>
    stage.views().map(({ tile, video }) => {
      const box = document.querySelector(`[data-member="${tile.member_id}"]`);
      const isAt = (element) => element.style.left === `${tile.x}%`;
      if (!isAt(box) || box.querySelector('.sb-stand-in').hidden !== Boolean(video)) return `${tile.member_id} wrong`;
      if (video && (!isAt(video) || video.style.opacity !== '1')) return `${tile.member_id} wrong`;
      return `${tile.member_id} ${video ? video.dataset.slot : '-'}`;
    });
}

/** Plays the steps on a new stage; each is followed by what must be drawn then. */
async function plays(...steps) {
  await page.evaluate(() => begin());
  for (const [step, ...expected] of steps) {
    assert.deepEqual(await page.evaluate(`(() => { ${step}; return drawn(); })()`), expected, step);
  }
}

const UNDER_WAY = 10;
const NEXT = 400;

test('a member is drawn with its first picture', () =>
  plays(
    [`tiles(['ada', 0])`, 'ada -'],
    [`frame(0, ${UNDER_WAY})`, 'ada -'],
    [`frame(0, ${NEXT})`, 'ada 0'],
  ));

test('once an encoding flows, the next picture is of it', () =>
  plays(
    [`tiles(['ada', 0, 1])`, 'ada -'],
    [`frame(0, -5)`, 'ada -'],
    [`frame(0, ${UNDER_WAY})`, 'ada 0'],
    [`tiles(['ada', 0, 2])`, 'ada 0'],
    [`tiles(['ada', 0, null])`, 'ada 0'],
  ));

test('an encoding that is told later does not make the wait longer', () =>
  plays(
    [`tiles(['ada', 0, 0]); frame(0, 1)`, 'ada 0'],
    [`tiles(['bob', 0])`, 'bob -'],
    [`tiles(['bob', 0, 0])`, 'bob -'],
    [`frame(0, ${UNDER_WAY})`, 'bob 0'],
  ));

test('a slot goes over: the former member is never drawn as the next', () =>
  plays(
    [`tiles(['ada', 0, 0], ['bob', 1, 0]); frame(0, 1); frame(1, 1)`, 'ada 0', 'bob 1'],
    [`tiles(['cleo', 0], ['bob', 1, 0])`, 'cleo -', 'bob 1'],
    [`frame(0, ${UNDER_WAY})`, 'cleo -', 'bob 1'],
    [`frame(1, ${NEXT})`, 'cleo -', 'bob 1'],
    [`frame(0, ${NEXT})`, 'cleo 0', 'bob 1'],
  ));

test('who changes slots is drawn by the former until the next has it', () =>
  plays(
    [`tiles(['ada', 0, 0]); frame(0, 1)`, 'ada 0'],
    [`tiles(['bob', 0], ['ada', 1])`, 'bob -', 'ada 0'],
    [`frame(1, ${NEXT})`, 'bob -', 'ada 1'],
    [`frame(0, ${NEXT})`, 'bob 0', 'ada 1'],
  ));

test('without a slot there is a stand-in, whatever an element still holds', () =>
  plays(
    [`tiles(['ada', 0, 0]); frame(0, 1)`, 'ada 0'],
    [`tiles(['ada', null])`, 'ada -'],
    [`tiles(['ada', 0])`, 'ada 0'],
  ));

test('a muted camera is a stand-in, and what was seen before does not come again', () =>
  plays(
    [`tiles(['ada', 0, 0]); frame(0, 1)`, 'ada 0'],
    [`mute('ada', true)`, 'ada -'],
    [`frame(0, ${NEXT})`, 'ada -'],
    [`mute('ada', false)`, 'ada -'],
    [`frame(0, ${UNDER_WAY})`, 'ada -'],
    [`frame(0, ${NEXT})`, 'ada 0'],
  ));

test('the own camera is drawn from here', () =>
  plays(
    [`tiles(['ada', null], ['bob', 0, 0]); frame(0, 1)`, 'ada -', 'bob 0'],
    [`stage.setOwn('ada', camera)`, 'ada own', 'bob 0'],
    [`mute('ada', true)`, 'ada -', 'bob 0'],
    [`mute('ada', false); stage.setOwn('ada', undefined)`, 'ada -', 'bob 0'],
  ));

test('a new call has new elements, and nothing of the former', () =>
  plays(
    [`tiles(['ada', 0, 0]); frame(0, 1)`, 'ada 0'],
    [`const { slots } = stage; stage.bind(slots.map(({ video }) => video.srcObject.getTracks()[0])); tiles(['ada', 0])`, 'ada -'],
    [`frame(0, ${NEXT})`, 'ada 0'],
  ));

test('initials of names as people have them', async () => {
  for (const [name, expected] of [['Ada Lovelace', 'AL'], ['ada', 'A'], ['Jean-Luc de la Tour', 'JT'], ['  ', ''], ['李 小龙', '李小'], ['👩‍🚀', '👩']]) {
    assert.equal(await page.evaluate((of) => initials(of), name), expected, name);
  }
});
