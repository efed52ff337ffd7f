/** A recording by every browser SDK: its object, its events, and the file as a browser plays it. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { BLUE, isNear, RED, SDK_VERSIONS } from './support/browser.mjs';
import { ask, startServer } from './support/server.mjs';
import { sleep, until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser();

async function rest(path) {
  const authorization = `Basic ${Buffer.from(`${server.project}:${server.apiToken}`).toString('base64')}`;
  const { status, text } = await ask(server, `/api/video${path}`, { headers: { authorization } });
  assert.equal(status, 200, text);
  return JSON.parse(text);
}

async function record(member, action) {
  const { value, error } = await member.page.evaluate((what) => member.record(what), action);
  if (error) throw Object.assign(new Error(error.message), error);
  return value;
}

/** Plays a file in a page of the server: how long it is, and the colours in the middle of its left and right half. */
async function played(page, url, at) {
  return page.evaluate(
    async ([source, time]) => {
      const video = Object.assign(document.createElement('video'), { src: source, muted: true });
      const happens = (name) =>
        new Promise((resolve, reject) => {
          video.addEventListener(name, resolve, { once: true });
          video.addEventListener('error', () => reject(new Error(video.error?.message)), { once: true });
        });
      await happens('loadedmetadata');
      const seeked = happens('seeked');
      video.currentTime = time;
      await seeked;
      const canvas = Object.assign(document.createElement('canvas'), { width: video.videoWidth, height: video.videoHeight });
      const context = canvas.getContext('2d');
      context.drawImage(video, 0, 0);
      const colour = (x) => [...context.getImageData(canvas.width * x, canvas.height / 2, 1, 1).data].slice(0, 3);
      const { duration, videoWidth, videoHeight } = video;
      return { duration, size: [videoWidth, videoHeight], left: colour(0.25), right: colour(0.75), png: canvas.toDataURL() };
    },
    [url, at],
  );
}

for (const sdk of SDK_VERSIONS) {
  describe(`@signalwire/js ${sdk}`, () => {
    const room = `recorded-${sdk.replaceAll('.', '-')}`;
    let red, blue;
    before(async () => {
      red = await browser.memberPage({ sdk });
      blue = await browser.memberPage({ sdk });
      await red.join(await server.roomToken(room, 'Red'), RED);
      await blue.join(await server.roomToken(room, 'Blue'), BLUE);
      await red.sees({ [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour });
    });
    after(() => Promise.all([red.page.close(), blue.page.close()]));

    test('starts, pauses, goes on, stops, and plays', async () => {
      const { id, state } = await record(red);
      assert.equal(state, 'recording');
      const begin = Date.now();
      assert.equal((await blue.event('recording.started')).recording.id, id);
      await blue.event('room.updated', ({ room_session }) => room_session.recording === true);
      await sleep(3000);
      await record(red, 'pause');
      const first = Date.now() - begin;
      await blue.event('recording.updated', ({ recording }) => recording.state === 'paused');
      await sleep(1500);
      await record(red, 'resume');
      const second = Date.now();
      await blue.event('recording.updated', ({ recording }) => recording.state === 'recording');
      await sleep(2000);
      await record(red, 'stop');
      const seconds = (first + Date.now() - second) / 1000;
      const { recording } = await blue.event('recording.ended');
      assert.deepEqual([recording.id, recording.state], [id, 'completed']);
      assert.ok(Math.abs(recording.duration - seconds) < 0.5, `${recording.duration} s of ${seconds}`);
      await blue.event('room.updated', ({ room_session }) => room_session.recording === false);
      assert.deepEqual(await record(red, 'list'), [{ id, state: 'completed' }]);

      const finished = await until('the file', async () => {
        const known = await rest(`/room_recordings/${id}`);
        return known.status === 'completed' && known;
      }, 20_000);
      // Pixels can be read only by a page of the file's own origin.
      const cinema = await red.page.context().newPage();
      await cinema.goto(`${server.http}/livez`);
      const film = await played(cinema, finished.uri, 2);
      await cinema.close();
      if (process.env.SIGNALBOX_TEST_PICTURES) {
        const png = Buffer.from(film.png.split(',')[1], 'base64');
        await writeFile(`${process.env.SIGNALBOX_TEST_PICTURES}/recording-${sdk}.png`, png);
      }
      assert.ok(Math.abs(film.duration - seconds) < 0.7, `${film.duration} s of ${seconds}`);
      assert.deepEqual(film.size, [1280, 720]);
      assert.ok(isNear(film.left, RED.colour) && isNear(film.right, BLUE.colour), JSON.stringify([film.left, film.right]));
    });
  });
}

test('without the program that writes files the SDK is told what is missing, and the room goes on', async () => {
  const poor = await startServer({ SIGNALBOX__RECORDING__FFMPEG: 'no-such-program' });
  const red = await browser.memberPage();
  await red.join(await poor.roomToken('poor', 'Red'), RED);
  await assert.rejects(red.call('startRecording'), { code: '500', message: /needs the program ffmpeg, and "no-such-program" is not there/ });
  await red.sees({ [red.memberId]: RED.colour });
  await red.page.close();
  assert.equal(await poor.stop(), 0);
});
