/** What most test files need: a server and a browser that live as long as the file. */

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startBrowser } from './browser.mjs';
import { startServer } from './server.mjs';

/** `env` lies over the server's own. To be called once, before the first test. */
export async function serverAndBrowser(env = {}) {
  const server = await startServer(env);
  const browser = await startBrowser().catch(async (error) => {
    await server.stop();
    throw error;
  });
  after(async () => {
    await browser.stop();
    assert.equal(await server.stop(), 0, 'the server ends well');
  });
  return { server, browser };
}
