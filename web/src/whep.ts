/** The page that plays a room, or one member of it, by WHEP. */

import { HttpCall } from './http-call';
import { element, follow, run } from './studio';
import { demoToken } from './token';

const room = element<HTMLInputElement>('room');
const member = element<HTMLInputElement>('member');
const picture = element<HTMLVideoElement>('picture');

run({
  running: 'Playing.',
  async open(ended) {
    const token = await demoToken(room.value.trim(), 'Viewer');
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    // One element plays both, so they stay in step.
    const stream = new MediaStream();
    for (const kind of ['audio', 'video']) {
      stream.addTrack(peer.addTransceiver(kind, { direction: 'recvonly' }).receiver.track);
    }
    picture.srcObject = stream;
    const path = ['whep', room.value.trim(), member.value.trim()].filter(Boolean).map(encodeURIComponent);
    const call = await HttpCall.open(`/${path.join('/')}`, token, peer, ended);
    picture.controls = true;
    return call;
  },
  closed() {
    picture.srcObject = null;
    picture.controls = false;
  },
});
follow(element<HTMLAnchorElement>('publish'), room);
