/** Tokens that open nothing. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RED, startBrowser } from './support/browser.mjs';
import { startServer } from './support/server.mjs';
import { sleep } from './support/until.mjs';

let server;
let browser;
before(async () => {
  server = await startServer({ SIGNALBOX__TOKENS__TTL: '1s' });
  browser = await startBrowser();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

/** What `join()` rejects with. */
async function refusal(token) {
  const { page } = await browser.memberPage();
  const join = (params) => member.join(params).then(() => null, ({ code, message }) => ({ code, message }));
  const refused = await page.evaluate(`(${join})(${JSON.stringify({ token, host: server.ws, ...RED })})`);
  await page.close();
  return refused;
}

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('a token that another key signed, or none, is refused with -32002', async () => {
  const genuine = await server.roomToken('closed', 'Eve');
  const [header, payload, signature] = genuine.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  const forged = {
    'another signature': [header, payload, Buffer.from(signature, 'base64url').reverse().toString('base64url')].join('.'),
    'another name': [header, encoded({ ...claims, u: 'Root' }), signature].join('.'),
    'no algorithm': [encoded({ typ: 'VRT', alg: 'none' }), payload, ''].join('.'),
    'not a token': `${encoded({ typ: 'VRT' })}.${encoded({ r: 'closed' })}.x`,
  };
  for (const [what, token] of Object.entries(forged)) {
    assert.equal((await refusal(token))?.code, -32002, what);
  }
});

test('an expired token is refused with -32002', async () => {
  const token = await server.roomToken('closed', 'Late');
  await sleep(2500);
  const refused = await refusal(token);
  assert.equal(refused?.code, -32002);
  assert.match(refused.message, /./);
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
