/** Tokens that open nothing. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { RED } from './support/browser.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser();

/** What `join()` rejects with. */
async function refusal(token) {
  const visitor = await browser.memberPage();
  const refused = await visitor.join(token, RED).then(() => undefined, (error) => error);
  await visitor.page.close();
  return refused;
}

/** The same claims signed by the server's own key. */
async function signed(header, claims) {
  const text = `${encoded(header)}.${encoded(claims)}`;
  const key = await readFile(join(server.dataDir, 'token.key'));
  return `${text}.${createHmac('sha512', key).update(text).digest('base64url')}`;
}

const parsed = (part) => JSON.parse(Buffer.from(part, 'base64url'));

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a token that another key signed, or none, is refused with -32002', async () => {
  const genuine = await server.roomToken('closed', 'Eve');
  const [header, payload, signature] = genuine.split('.');
  const claims = parsed(payload);
  const forged = {
    'another signature': [header, payload, Buffer.from(signature, 'base64url').reverse().toString('base64url')].join('.'),
    'another name': [header, encoded({ ...claims, u: 'Root' }), signature].join('.'),
    'no algorithm': [encoded({ typ: 'VRT', alg: 'none', ch: server.ws }), payload, ''].join('.'),
    'not a token': `${encoded({ typ: 'VRT', ch: server.ws })}.${encoded({ r: 'closed' })}.x`,
  };
  for (const [what, token] of Object.entries(forged)) {
    assert.equal((await refusal(token))?.code, -32002, what);
  }
});

test('an expired token is refused with -32002', async () => {
  const [header, payload] = (await server.roomToken('closed', 'Late')).split('.').slice(0, 2).map(parsed);
  const now = Math.floor(Date.now() / 1000);
  const late = await signed(header, { ...payload, iat: now - 7200, exp: now - 600 });
  const refused = await refusal(late);
  assert.equal(refused?.code, -32002);
  assert.match(refused.message, /./);
  const inTime = await signed(header, { ...payload, iat: now - 600, exp: now + 600 });
  assert.equal(await refusal(inTime), undefined, 'it is the time, not the signature');
});

test('REST gives tokens only to the project', async () => {
  const ask = (authorization) =>
    fetch(`${server.http}/api/video/room_tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization },
      body: JSON.stringify({ room_name: 'closed', user_name: 'Eve' }),
    });
  assert.equal((await ask({})).status, 401);
  const wrong = Buffer.from(`${server.project}:wrong`).toString('base64');
  assert.equal((await ask({ authorization: `Basic ${wrong}` })).status, 401);
});
