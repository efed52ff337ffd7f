/** Members that draw the layout themselves, beside one with the unmodified SDK. */

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BLUE, GREEN, RED, YELLOW, isNear } from './support/browser.mjs';
import { startProxy } from './support/proxy.mjs';
import { freePort } from './support/server.mjs';
import { isSamePlace, startTiles } from './support/tiles.mjs';
import { sleep, until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const PICTURES = fileURLToPath(new URL('../../target/page/', import.meta.url));

const { server, browser } = await serverAndBrowser();
const tiles = await startTiles(browser);
after(() => tiles.stop());
await mkdir(PICTURES, { recursive: true });

/** A member of that room that draws itself. */
async function drawer(room, name, looks, { seed, host = server.ws, token = {}, ...options } = {}) {
  const member = await tiles.page({ seed });
  return member.join({ token: await server.roomToken(room, name, token), host, ...options }, looks);
}

const part = (...members) => Promise.all(members.map((member) => member?.page.close()));

/** What one sends, by RID. */
const sentBy = async (member) => Object.fromEntries((await member.look()).sent.map((one) => [one.rid, one]));

describe('three members that draw themselves and one of the canvas', () => {
  let red, blue, green, yellow, colours;
  before(async () => {
    red = await drawer('mixed', 'Red One', RED);
    blue = await drawer('mixed', 'Blue', BLUE);
    green = await drawer('mixed', 'Green', GREEN);
    yellow = await browser.memberPage();
    await yellow.join(await server.roomToken('mixed', 'Yellow'), YELLOW);
    colours = Object.fromEntries([[red, RED], [blue, BLUE], [green, GREEN], [yellow, YELLOW]].map(([of, { colour }]) => [of.memberId, colour]));
  });
  after(() => part(red, blue, green, yellow));

  test('each draws everybody, where the layout puts them', async () => {
    for (const member of [red, blue, green]) await member.sees(colours);
  });

  test('the canvas shows the same members in the same places', async () => {
    await yellow.sees(colours);
    const rectangles = await yellow.rectangles();
    for (const member of [red, blue, green]) {
      const { video } = await member.tiles();
      assert.deepEqual(video.map((tile) => tile.member_id).sort(), Object.keys(rectangles).sort());
      for (const tile of video) assert.ok(isSamePlace(tile, rectangles[tile.member_id]), JSON.stringify([tile, rectangles]));
    }
  });

  test('tiles and layout have the same version', async () => {
    const layout = (await yellow.events()).findLast(({ name }) => name === 'layout.changed').payload.layout;
    for (const member of [red, blue, green]) {
      await until('versions meet', async () => (await member.tiles()).version === layout.version);
    }
  });

  test('the mix is heard without oneself', async () => {
    const [other, own] = [await red.level(BLUE.tone), await red.level(RED.tone)];
    assert.ok(other > -45 && other - own >= 20, `the other ${other} dB, oneself ${own} dB`);
  });

  test('another layout is drawn by both kinds, and nobody in another place', async () => {
    for (const member of [red, blue, green]) await member.watch(colours);
    for (const name of ['5up', '2x2', 'grid-responsive']) {
      await red.call('setLayout', name);
      for (const member of [red, blue, green]) await member.sees(colours);
      await yellow.sees(colours);
      // Each is told by itself, one a moment before the other.
      await until(`${name} at both`, async () => {
        const [rectangles, { video }] = [await yellow.rectangles(), await green.tiles()];
        return video.every((tile) => isSamePlace(tile, rectangles[tile.member_id]));
      });
    }
    for (const member of [red, blue, green]) assert.deepEqual(await member.watched(), []);
  });

  test('a muted camera is a stand-in with initials, and comes back', async () => {
    await red.call('setCamera', false);
    const isStandIn = async (viewer) => {
      const one = (await viewer.drawn()).find(({ member }) => member === red.memberId);
      return one === undefined ? false : one.standIn === 'RO' && one.label === 'Red One' && !one.isShown;
    };
    for (const viewer of [blue, green]) await until('a stand-in for Red', () => isStandIn(viewer));
    await blue.watch({ [red.memberId]: RED.colour });
    await red.call('setCamera', true);
    for (const viewer of [blue, green]) await viewer.sees(colours);
    assert.deepEqual(await blue.watched(), []);
  });

  test('the SDK never hears of tiles', async () => {
    const frames = await yellow.page.evaluate(() => member.events.map(({ name }) => name));
    assert.ok(frames.length > 0 && frames.every((name) => !name.includes('tiles') && !name.includes('encodings')));
  });

  test('who leaves is drawn no more; the others move together in both', async () => {
    await green.call('leave');
    const { [green.memberId]: _, ...rest } = colours;
    for (const member of [red, blue]) await member.sees(rest);
    await yellow.sees(rest);
    assert.match((await green.events('left'))[0][0], /You left/);
  });
});

describe('encodings', () => {
  let red, blue;
  before(async () => {
    red = await drawer('encodings', 'Red', RED);
    blue = await drawer('encodings', 'Blue', BLUE);
    await blue.sees({ [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour });
  });
  after(() => part(red, blue));

  test('a large picture gets the largest encoding, a small one the smallest', async () => {
    await blue.resize(1900);
    await blue.receives(red.memberId, 'the full picture', ({ width }) => width === 960);
    await blue.resize(300);
    await blue.receives(red.memberId, 'a quarter', ({ width }) => width === 240);
    await blue.resize(1900);
    await blue.receives(red.memberId, 'the full picture again', ({ width }) => width === 960);
  });

  test('what nobody watches is not encoded', async () => {
    for (const member of [red, blue]) await member.resize(300);
    const paused = await until('only a quarter is wanted', async () => {
      const sent = await sentBy(red);
      return sent.q.active && !sent.h.active && !sent.f.active && sent;
    }, 20_000);
    await sleep(1500);
    const later = await sentBy(red);
    for (const rid of ['h', 'f']) assert.equal(later[rid].framesEncoded, paused[rid].framesEncoded, `${rid} rests`);
    assert.ok(later.q.framesEncoded > paused.q.framesEncoded + 10);
    await blue.resize(1900);
    await blue.receives(red.memberId, 'the full picture', ({ width }) => width === 960);
    assert.ok((await sentBy(red)).f.active);
  });

  test('a hidden page watches nothing', async () => {
    for (const member of [red, blue]) await member.resize(0);
    await until('nothing is wanted', async () => Object.values(await sentBy(red)).every(({ active }) => !active), 20_000);
    for (const member of [red, blue]) await member.resize(1280);
    await blue.sees({ [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour });
  });
});

describe('slots', () => {
  const looks = { Red: RED, Blue: BLUE, Green: GREEN };
  let members, viewer;
  before(async () => {
    members = {};
    for (const [name, look] of Object.entries(looks)) members[name] = await drawer('slots', name, look);
    viewer = await drawer('slots', 'Viewer', undefined, { videoSlots: 2, token: { join_as: 'audience' } });
  });
  after(() => part(viewer, ...Object.values(members)));

  const nameOf = (id) => Object.keys(members).find((name) => members[name].memberId === id);

  test('layers beyond them are stand-ins, and the largest come first', async () => {
    for (const name of ['Red', 'Green', 'Blue', 'Red']) {
      const { memberId } = members[name];
      await members.Red.call('request', 'video.set_layout', { name: '1up-top-left-5', positions: { [memberId]: 'reserved-1' } });
      await until(`${name} is large and has a slot`, async () => {
        const drawn = await viewer.drawn();
        const large = drawn.find(({ member }) => member === memberId);
        const shown = drawn.filter(({ isShown }) => isShown);
        return (
          drawn.length === 3 && shown.length === 2 && isNear(large?.colour, looks[name].colour) && large.announced.width > 50 &&
          shown.every(({ member, colour }) => isNear(colour, looks[nameOf(member)].colour)) &&
          drawn.filter(({ slot }) => slot === null).every(({ standIn, member }) => standIn === nameOf(member)[0])
        );
      }, 15_000);
    }
  });

  test('nobody is ever drawn in the place of another', async () => {
    await viewer.watch(Object.fromEntries(Object.entries(members).map(([name, { memberId }]) => [memberId, looks[name].colour])));
    for (const name of ['Green', 'Blue', 'Red', 'Blue', 'Green']) {
      await members.Red.call('request', 'video.set_position', { positions: { [members[name].memberId]: 'reserved-1' } });
      await sleep(1500);
    }
    assert.deepEqual(await viewer.watched(), []);
  });

  test('audience watches and is not drawn', async () => {
    assert.ok((await members.Red.drawn()).every(({ member }) => member !== viewer.memberId));
    assert.deepEqual((await viewer.look()).sent, []);
  });
});

test("the browser's own camera is sent as simulcast", async () => {
  const ada = await drawer('device', 'Ada', { colour: 'device', tone: 440 });
  const viewer = await drawer('device', 'Viewer', undefined, { token: { join_as: 'audience' } });
  await viewer.resize(1900);
  await viewer.receives(ada.memberId, 'the full picture', ({ width, framesPerSecond }) => width === 1280 && framesPerSecond > 5, 30_000);
  await viewer.resize(320);
  await viewer.receives(ada.memberId, 'a smaller one', ({ width, framesPerSecond }) => width <= 640 && framesPerSecond > 5);
  await part(ada, viewer);
});

test('a lost socket is found again, and the picture goes on', async () => {
  const proxy = await startProxy(await freePort(), server.port);
  const red = await drawer('resumed', 'Red', RED);
  const blue = await drawer('resumed', 'Blue', BLUE, { host: proxy.ws });
  const colours = { [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour };
  await blue.sees(colours);
  for (const _ of [1, 2]) {
    proxy.cut();
    const states = async () => (await blue.events('state')).map(([state]) => state);
    await until('lost and found', async () => (await states()).slice(-2).join() === 'reconnecting,joined', 15_000);
    await blue.sees(colours);
    await red.sees(colours);
    await blue.page.evaluate(() => (tile.events.length = 0));
  }
  assert.deepEqual((await red.events('members')).at(-1)[0].map(({ id }) => id).sort(), Object.keys(colours).sort());
  await part(red, blue);
  await proxy.stop();
});

test('what cannot be had is refused by its field, and nobody is there', async () => {
  const red = await drawer('refusals', 'Red', RED);
  const ask = async (receive) => {
    const message = { jsonrpc: '2.0', id: 'm', method: 'verto.invite', params: { dialogParams: { callID: crypto.randomUUID(), receive }, sdp: OFFER } };
    return (await red.raw('video.message', { message })).error;
  };
  for (const [receive, field] of [
    [{ mode: 'tiles', video_slots: 0 }, 'receive.video_slots'],
    [{ mode: 'tiles', video_slots: 26 }, 'receive.video_slots'],
    [{ mode: 'tiles', video_slots: '9' }, 'receive.video_slots'],
    [{ mode: 'tiles', audio: 'surround' }, 'receive.audio'],
    [{ mode: 'tiles', audio: 'slots', audio_slots: 9 }, 'receive.audio_slots'],
    [{ mode: 'mosaic' }, 'receive.mode'],
    [{ mode: 'tiles', slots: 3 }, 'receive.slots'],
    ['tiles', 'receive'],
  ]) {
    const error = await ask(receive);
    assert.equal(error?.code, '422', JSON.stringify(receive));
    assert.equal(error.message.split(' ')[0], field);
  }
  const viewport = (params) => red.raw('video.tiles.set_viewport', { room_session_id: red.roomSessionId, ...params });
  const { call_id: call } = await red.tiles();
  assert.equal((await viewport({ call_id: call, width: 16_384, height: 1 })).error, undefined);
  assert.equal((await viewport({ call_id: call, width: 16_385, height: 1 })).error.code, '422');
  assert.equal((await viewport({ call_id: 'of somebody else', width: 1, height: 1 })).error.code, '404');
  const members = (await red.raw('video.members.get', { room_session_id: red.roomSessionId })).value.members;
  assert.deepEqual(members.map(({ name }) => name), ['Red']);
  await part(red);
});

const OFFER = 'v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n';

describe('a link that is not good', () => {
  let red, green, blue;
  before(async () => {
    red = await drawer('link', 'Red', RED);
    green = await drawer('link', 'Green', GREEN);
    blue = await drawer('link', 'Blue', undefined, { seed: 7, token: { join_as: 'audience' } });
    await blue.sees({ [red.memberId]: RED.colour, [green.memberId]: GREEN.colour });
  });
  after(() => part(red, green, blue));

  test('5 % loss for 20 s: no freeze of more than 500 ms', async () => {
    const before = { ...blue.link.counts };
    blue.link.set({ loss: 0.05 });
    await blue.countFreezes();
    await sleep(20_000);
    const freezes = await blue.freezesFound();
    blue.link.set({});
    const lost = blue.link.counts.lost - before.lost;
    const passed = blue.link.counts.passed - before.passed;
    assert.ok(lost / (lost + passed) > 0.03, `${lost} of ${lost + passed} packets were lost`);
    assert.equal(Object.keys(freezes).length > 0, true);
    for (const [slot, { longest }] of Object.entries(freezes)) assert.ok(longest <= 0.5, `slot ${slot}: ${longest} s`);
  });
});

test('sound slots carry who speaks, each by itself', async () => {
  const red = await drawer('voices', 'Red', RED);
  const blue = await drawer('voices', 'Blue', BLUE);
  const options = { audio: 'slots', audioSlots: 2, token: { join_as: 'audience' } };
  const listener = await drawer('voices', 'Listener', undefined, options);
  const speakers = { [red.memberId]: RED, [blue.memberId]: BLUE };
  const heard = await until('both have a slot', async () => {
    const { audio = [] } = await listener.tiles();
    const taken = audio.filter(({ member_id: member }) => speakers[member]);
    return new Set(taken.map(({ member_id: member }) => member)).size === 2 && taken;
  }, 15_000);
  for (const { slot, member_id: member } of heard) {
    for (const [id, { tone }] of Object.entries(speakers)) {
      const level = await listener.level(tone, { slot });
      if (id === member) assert.ok(level > -45, `slot ${slot}: ${tone} Hz is at ${level} dB`);
      else assert.ok(level < -60, `slot ${slot}: ${tone} Hz of somebody else is at ${level} dB`);
    }
  }
  await part(red, blue, listener);
});

test('a link of 400 kbit/s gets a smaller encoding, and the full one when it is wide again', async () => {
  const red = await drawer('narrow', 'Red', { ...RED, busy: true });
  const blue = await drawer('narrow', 'Blue', undefined, { seed: 3, token: { join_as: 'audience' } });
  await blue.resize(960);
  await blue.receives(red.memberId, 'the full picture', ({ width }) => width === 960, 30_000);
  blue.link.set({ kbps: 400 });
  await blue.receives(red.memberId, 'a smaller one', ({ width }) => width > 0 && width < 960, 30_000);
  await blue.sees({ [red.memberId]: RED.colour });
  await blue.page.screenshot({ path: `${PICTURES}tiles-narrow.png` });
  blue.link.set({});
  await blue.receives(red.memberId, 'the full picture again', ({ width }) => width === 960, 60_000);
  await part(red, blue);
});

test('three members with cameras at 5 % loss: no freeze of more than 500 ms, and each in its colour', async () => {
  const members = [];
  for (const [name, look] of Object.entries({ Red: RED, Green: GREEN, Blue: BLUE })) {
    members.push(await drawer('lossy', name, look, { seed: 11 + members.length }));
  }
  const colours = Object.fromEntries(members.map(({ memberId, looks }) => [memberId, looks.colour]));
  for (const member of members) await member.sees(colours);
  for (const member of members) {
    member.before = { ...member.link.counts };
    member.link.set({ loss: 0.05 });
    await member.watch(colours);
    await member.countFreezes();
  }
  await sleep(20_000);
  for (const member of members) {
    const freezes = Object.entries(await member.freezesFound());
    const { lost, passed } = member.link.counts;
    const part = (lost - member.before.lost) / (lost + passed - member.before.lost - member.before.passed);
    assert.ok(part > 0.03, `${part} of the packets were lost`);
    assert.ok(freezes.length >= 2, JSON.stringify(freezes));
    for (const [slot, { longest }] of freezes) assert.ok(longest <= 0.5, `${member.looks.tone} Hz, slot ${slot}: ${longest} s`);
    assert.deepEqual(await member.watched(), []);
    await member.sees(colours);
  }
  await members[0].page.screenshot({ path: `${PICTURES}tiles-lossy.png` });
  members.forEach(({ link }) => link.set({}));
  await part(...members);
});

/** Runs in the page: whether the picture of the SDK has the green of a fake camera in it. */
function greenest() {
  const video = document.querySelector('#stage video');
  if (!video?.videoWidth) return false;
  const context = Object.assign(document.createElement('canvas'), { width: 64, height: 36 }).getContext('2d');
  context.drawImage(video, 0, 0, 64, 36);
  const { data } = context.getImageData(0, 0, 64, 36);
  return data.some((green, at) => at % 4 === 1 && green > 100 && data[at - 1] < 60 && data[at + 1] < 60);
}

test('the page shows tiles, then the same room as a canvas', async () => {
  const open = async (name) => {
    const page = await browser.context.newPage();
    await page.goto(`${server.http}/tiles/?room=tiles-page&name=${name}`);
    await page.getByRole('button', { name: 'Join', exact: true }).click();
    await page.getByRole('heading', { name: 'tiles-page' }).waitFor();
    return { page, button: (label) => page.getByRole('button', { name: label, exact: true }) };
  };
  const [ada, grace, edsger] = [await open('Ada Lovelace'), await open('Grace Hopper'), await open('Edsger')];
  const shown = ({ page }) => page.locator('.sb-stand-in').evaluateAll((all) => all.filter((one) => one.hidden).length);
  await until('Ada sees all three', async () => (await shown(ada)) === 3, 20_000);
  await ada.button('Statistics').click();
  await ada.page.getByText(/slot 0 · encoding/).waitFor();
  await edsger.button('Stop camera').click();
  await until('a stand-in for Edsger', async () => (await shown(ada)) === 2);
  await ada.page.screenshot({ path: `${PICTURES}tiles.png` });
  await ada.button('Statistics').click();
  await ada.page.screenshot({ path: `${PICTURES}tiles-plain.png` });
  await ada.page.setViewportSize({ width: 390, height: 844 });
  await ada.page.screenshot({ path: `${PICTURES}tiles-phone.png` });
  await ada.page.setViewportSize({ width: 1280, height: 800 });

  await grace.page.getByLabel('Layout', { exact: true }).selectOption('2x2');
  await ada.button('Show canvas').click();
  await ada.page.locator('#stage video').first().waitFor();
  // Chromium's fake camera is green.
  await until('the canvas shows Grace', () => ada.page.evaluate(greenest), 20_000);
  const layout = () => ada.page.getByLabel('Layout', { exact: true }).inputValue();
  await until('the canvas page has been told the layout', async () => (await layout()) === '2x2');
  await ada.page.screenshot({ path: `${PICTURES}tiles-canvas.png` });
  await ada.button('Show tiles').click();
  await until('tiles again', async () => (await shown(ada)) === 2, 20_000);
  await until('the tile page has been told the layout', async () => (await layout()) === '2x2');
  await Promise.all([ada, grace, edsger].map(({ page }) => page.close()));
});
