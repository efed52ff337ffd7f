/** Audience hears and sees all, is counted and not listed; promote and demote change who one is, not which. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BLUE, RED, SDK_VERSIONS } from './support/browser.mjs';
import { serverAndBrowser } from './support/world.mjs';

const { server, browser } = await serverAndBrowser();

for (const sdk of SDK_VERSIONS) {
  describe(`@signalwire/js ${sdk}`, () => {
    const room = `audience-${sdk.replaceAll('.', '-')}`;
    let host, guest, memberId, token;
    before(async () => {
      host = await browser.memberPage({ sdk });
      await host.join(await server.roomToken(room, 'Host'), RED);
      guest = await browser.memberPage({ sdk });
      token = await server.roomToken(room, 'Guest', { join_as: 'audience' });
      await guest.watch(token, BLUE);
      memberId = guest.memberId;
    });
    after(() => Promise.all([host.page.close(), guest.page.close()]));

    const idOf = (page) => page.page.evaluate(() => member.session.memberId);
    const roleOf = (page) => page.page.evaluate(() => member.session.interactivityMode);
    const names = async () => (await host.call('getMembers')).members.map(({ name }) => name).sort();

    /** The guest's page has another call, and what it receives comes by that. */
    async function comesAgain(mark) {
      await guest.event('room.subscribed', ({ member_id }) => member_id === memberId, { after: mark });
    }

    async function isAudience() {
      await guest.sees({ [host.memberId]: RED.colour });
      const [tone] = await guest.levels([RED.tone], 1500);
      assert.ok(tone > -45, `the host's tone is at ${tone} dB`);
      const [own] = await host.levels([BLUE.tone], 1000);
      assert.ok(own < -80, `the guest is heard, at ${own} dB`);
      assert.deepEqual(await names(), ['Host']);
      assert.equal(await roleOf(guest), 'audience');
      assert.equal(await idOf(guest), memberId);
    }

    async function isMember() {
      const both = { [host.memberId]: RED.colour, [memberId]: BLUE.colour };
      await host.sees(both);
      await guest.sees(both);
      const [other, own] = await host.levels([BLUE.tone, RED.tone], 1500);
      assert.ok(other > -45 && other - own > 20, `the guest at ${other} dB, oneself at ${own} dB`);
      assert.deepEqual(await names(), ['Guest', 'Host']);
      assert.equal(await roleOf(guest), 'member');
      assert.equal(await idOf(guest), memberId);
    }

    test('audience sees and hears, is counted and not listed, and may do nothing', async () => {
      await isAudience();
      await host.event('room.audienceCount', ({ total }) => total === 1);
      await assert.rejects(guest.call('audioMute', { memberId: host.memberId }), { code: '403' });
      await assert.rejects(guest.call('setLayout', { name: '2x1' }), { code: '403' });
      await assert.rejects(host.call('audioMute', { memberId }), { code: '404' });
    });

    for (const round of ['once', 'twice']) {
      test(`promoted ${round}`, async () => {
        const [mark, ofGuest] = [await host.mark(), await guest.mark()];
        await host.call('promote', { memberId, permissions: ['room.self.audio_mute', 'room.self.audio_unmute'], meta: { round } });
        const { member } = await host.event('member.joined', ({ member: m }) => m.id === memberId, { after: mark });
        assert.deepEqual(member.meta, { round });
        await comesAgain(ofGuest);
        await isMember();
        await guest.call('audioMute');
        await guest.call('audioUnmute');
        await assert.rejects(guest.call('setLayout', { name: '2x1' }), { code: '403' });
        await assert.rejects(host.call('promote', { memberId }), { code: '403' });
      });

      test(`demoted ${round}`, async () => {
        const [mark, ofGuest] = [await host.mark(), await guest.mark()];
        await host.call('demote', { memberId });
        await host.event('member.left', ({ member }) => member.id === memberId, { after: mark });
        await comesAgain(ofGuest);
        await isAudience();
        await assert.rejects(host.call('demote', { memberId }), { code: '404' });
      });
    }

    test('a promoted guest keeps its place when its page is loaded anew', async () => {
      const mark = await guest.mark();
      await host.call('promote', { memberId, permissions: ['room.self.audio_mute', 'room.self.audio_unmute'] });
      await comesAgain(mark);
      await isMember();
      await guest.page.reload();
      await guest.join(token, BLUE);
      assert.equal(guest.memberId, memberId);
      await isMember();
      await guest.call('audioMute');
    });

    test('the host ends the room for the audience too', async () => {
      const late = await browser.memberPage({ sdk });
      await late.watch(await server.roomToken(room, 'Late', { join_as: 'audience' }), BLUE);
      await host.call('removeAllMembers');
      await late.event('room.left');
      await guest.event('room.left');
      await late.page.close();
    });
  });
}
