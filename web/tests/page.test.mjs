/** The room page, used as a person does. */

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep, until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const PICTURES = fileURLToPath(new URL('../../target/page/', import.meta.url));

const { server, browser } = await serverAndBrowser();
await mkdir(PICTURES, { recursive: true });

async function open(query = '') {
  const page = await browser.context.newPage();
  const outside = [];
  page.on('request', (request) => {
    const { host, protocol } = new URL(request.url());
    if (protocol.startsWith('http') && host !== new URL(server.http).host) outside.push(request.url());
  });
  await page.goto(`${server.http}/${query}`);
  const button = (name) => page.getByRole('button', { name, exact: true });
  const picture = () =>
    page.evaluate(() => {
      const video = document.querySelector('#stage video');
      return video ? { width: video.videoWidth, time: video.currentTime } : { width: 0, time: 0 };
    });
  return { page, button, picture, outside };
}

test('two people meet by clicking', async () => {
  const ada = await open();
  await ada.page.getByLabel('Your name').fill('Ada');
  await ada.page.getByLabel('Room', { exact: true }).fill('page-room');
  await ada.button('Join').click();
  await ada.page.getByRole('heading', { name: 'page-room' }).waitFor();
  await until('the picture runs', async () => (await ada.picture()).time > 0.5);
  assert.equal((await ada.picture()).width, 1280);
  const box = await ada.page.locator('#stage video').boundingBox();
  assert.ok(Math.abs(box.width / box.height - 16 / 9) < 0.02, `the picture keeps its shape: ${box.width}x${box.height}`);

  const grace = await open('?room=page-room&name=Grace');
  await grace.button('Join').click();
  const members = ada.page.locator('#members .who');
  await until('Ada sees both', async () => (await members.allTextContents()).join() === 'Ada (you),Grace');
  await until('Grace sees the picture', async () => (await grace.picture()).time > 1);

  const layout = ada.page.getByLabel('Layout', { exact: true });
  await until('layouts are listed', async () => (await layout.locator('option').count()) > 5);
  assert.equal(await layout.inputValue(), 'grid-responsive');
  await layout.selectOption('2x1');
  await until('Grace has the layout too', async () => (await grace.page.getByLabel('Layout', { exact: true }).inputValue()) === '2x1');

  await ada.button('Mute microphone').click();
  await ada.button('Unmute microphone').waitFor();
  await ada.button('Stop camera').click();
  await ada.button('Start camera').waitFor();
  const stateOfAda = grace.page.locator('#members li', { hasText: 'Ada' }).locator('.state');
  await until('Grace is told', async () => (await stateOfAda.textContent()) === 'muted, camera off');
  await ada.page.screenshot({ path: `${PICTURES}camera-off.png` });
  await ada.button('Unmute microphone').click();
  await ada.button('Start camera').click();
  await ada.button('Stop camera').waitFor();
  await ada.page.getByLabel('Layout', { exact: true }).selectOption('grid-responsive');
  await sleep(1000);
  await ada.page.screenshot({ path: `${PICTURES}call.png` });
  await ada.page.setViewportSize({ width: 390, height: 844 });
  await ada.page.screenshot({ path: `${PICTURES}phone.png` });

  await ada.button('Leave').click();
  await ada.page.getByText('You left the room.').waitFor();
  await until('Grace is alone', async () => (await grace.page.locator('#members li').count()) === 1);
  for (const { outside, page } of [ada, grace]) {
    assert.deepEqual(outside, [], 'nothing is loaded from elsewhere');
    assert.equal(await page.getByRole('alert').isVisible(), false);
    await page.close();
  }
});

test('somebody who left can join again without loading the page anew', async () => {
  const { page, button, picture } = await open('?room=again&name=Ada');
  for (const _ of [1, 2]) {
    await button('Join').click();
    await page.getByRole('heading', { name: 'again' }).waitFor();
    await until('the picture runs', async () => (await picture()).time > 0.3);
    await button('Leave').click();
    await page.getByText('You left the room.').waitFor();
  }
  await page.close();
});

test('a closed tab leaves at once, and a page loaded anew joins again', async () => {
  const [ada, grace] = [await open('?room=reload&name=Ada'), await open('?room=reload&name=Grace')];
  await ada.button('Join').click();
  await ada.page.getByRole('heading', { name: 'reload' }).waitFor();
  await grace.button('Join').click();
  const members = async () => (await grace.page.locator('#members .who').allTextContents()).join();
  await until('Grace sees both', async () => (await members()) === 'Ada,Grace (you)');
  await ada.page.reload();
  await until('Grace is alone', async () => (await members()) === 'Grace (you)', 3000);
  await ada.page.getByLabel('Your name').fill('Ada');
  await ada.button('Join').click();
  await until('the picture runs again', async () => (await ada.picture()).time > 0.3);
  await until('Grace sees both again', async () => (await members()) === 'Grace (you),Ada');
  await ada.page.close();
  await until('Grace is alone again', async () => (await members()) === 'Grace (you)', 3000);
  await grace.page.close();
});

test('a refusal is told in words', async () => {
  const { page, button } = await open('?room=refused&name=Ada');
  await page.route('**/demo/tokens', (route) => route.fulfill({ json: { token: 'e30.eyJyIjoieCJ9.x' } }));
  await button('Join').click();
  await page.getByRole('alert').waitFor();
  assert.ok((await page.getByRole('alert').textContent()).length > 10);
  assert.ok(await button('Join').isEnabled());
  await page.close();
});
