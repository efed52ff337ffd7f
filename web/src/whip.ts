/** The page that publishes camera and microphone by WHIP. */

import { HttpCall } from './http-call';
import { element, follow, run } from './studio';
import { demoToken } from './token';

const name = element<HTMLInputElement>('name');
const room = element<HTMLInputElement>('room');
const picture = element<HTMLVideoElement>('picture');

let stream: MediaStream | undefined;

run({
  running: 'On air.',
  async open(ended) {
    if (!navigator.mediaDevices) {
      throw new Error('Camera and microphone need a secure page: open it by https or from localhost.');
    }
    const token = await demoToken(room.value.trim(), name.value.trim());
    stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720 } });
    picture.srcObject = stream;
    const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    for (const track of stream.getTracks()) peer.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
    return HttpCall.open(`/whip/${encodeURIComponent(room.value.trim())}`, token, peer, ended);
  },
  closed() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = undefined;
    picture.srcObject = null;
  },
});
follow(element<HTMLAnchorElement>('watch'), room);
