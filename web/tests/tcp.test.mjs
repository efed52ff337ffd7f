/** A member whose network lets no UDP through: the page is given the TCP candidates of the answer alone. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLUE, RED } from './support/browser.mjs';
import { until } from './support/until.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser();

/** Runs in the page: no answer has UDP candidates any more. */
function withoutUdp() {
  const apply = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    window.removed = (window.removed ?? 0) + (description.sdp.match(/^a=candidate:.* udp .*$/gim) ?? []).length;
    const sdp = description.sdp.replace(/^a=candidate:.* udp .*\r\n/gim, '');
    return apply.call(this, { type: description.type, sdp });
  };
}

/** Protocol and port of every candidate of the server that media goes to. */
const ways = (member) =>
  member.page.evaluate(async () => {
    const ways = [];
    for (const peer of window.peers.filter(({ connectionState }) => connectionState === 'connected')) {
      const report = await peer.getStats();
      const all = [...report.values()];
      for (const { selectedCandidatePairId } of all.filter(({ type }) => type === 'transport')) {
        const remote = report.get(report.get(selectedCandidatePairId)?.remoteCandidateId);
        ways.push(`${remote?.protocol} ${remote?.port}`);
      }
    }
    return ways;
  });

test('media flows both ways over TCP, on the number of the UDP port', async () => {
  const red = await browser.memberPage();
  await red.page.evaluate(withoutUdp);
  await red.join(await server.roomToken('tcp', 'Red'), RED);
  const blue = await browser.memberPage();
  await blue.join(await server.roomToken('tcp', 'Blue'), BLUE);
  const both = { [red.memberId]: RED.colour, [blue.memberId]: BLUE.colour };
  await red.sees(both);
  await blue.sees(both);
  const [othersTone, ownTone] = await red.levels([BLUE.tone, RED.tone]);
  assert.ok(othersTone > -45 && othersTone - ownTone >= 20, `the other's tone ${othersTone} dB, one's own ${ownTone} dB`);

  assert.ok((await red.page.evaluate(() => window.removed)) > 0, 'there were UDP candidates to remove');
  const overTcp = await until('media over TCP', async () => {
    const now = await ways(red);
    return now.length > 0 && now.every((way) => way.startsWith('tcp ')) && now;
  });
  const overUdp = await ways(blue);
  assert.ok(overUdp.length > 0 && overUdp.every((way) => way.startsWith('udp ')), `${overUdp}`);
  const port = (way) => way.split(' ')[1];
  assert.equal(port(overTcp[0]), port(overUdp[0]));
  await Promise.all([red.page.close(), blue.page.close()]);
});
