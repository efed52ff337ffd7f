/**
 * The peer connection of one call: microphone and camera out, slots in.
 *
 * in:  tracks to send; answers; which encodings are wanted
 * out: offers; one track per slot, the same for the whole call
 *
 * Sections of the offer, in order: sound out (and the mix in), camera out, video slots, sound slots. What the token does not
 * allow to send is not offered.
 */

import { Emitter } from './events';
import type { AudioMode, Receive, WantedEncoding } from './wire';

/** VP9 and AV1 only where the room allows them: they are sent as one stream with layers. */
export type VideoCodec = 'VP8' | 'H264' | 'VP9' | 'AV1';

/** One simulcast encoding of the camera. */
export interface CameraEncoding {
  rid: string;
  scaleResolutionDownBy: number;
  maxBitrate: number;
}

/**
 * Quarter, half, full: of a camera of 1280×720 that is 320×180, 640×360 and 1280×720. Rates are where VP8 of a talking head
 * stops to gain.
 */
export const CAMERA_ENCODINGS: readonly CameraEncoding[] = [
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: 'f', scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
];

/** How long a path may be interrupted before another is looked for. */
const INTERRUPTED_MS = 3000;

export interface MediaOptions {
  receive: Receive;
  sendsAudio: boolean;
  sendsVideo: boolean;
  encodings: readonly CameraEncoding[];
  codec: VideoCodec;
  iceServers: RTCIceServer[];
}

export type MediaEvents = {
  state: [state: RTCPeerConnectionState];
  /** The path is lost: offer again with `restart`. */
  interrupted: [];
};

export class Media extends Emitter<MediaEvents> {
  readonly peer: RTCPeerConnection;
  /** By number of the slot. */
  readonly videoSlots: RTCRtpTransceiver[];
  /** By number of the slot; for the mix one, which no event names. */
  readonly audioSlots: RTCRtpTransceiver[];
  readonly camera: RTCRtpSender | undefined;
  readonly microphone: RTCRtpSender | undefined;
  private interruption: ReturnType<typeof setTimeout> | undefined;
  private wanted: WantedEncoding[] | undefined;
  private settingParameters: Promise<void> = Promise.resolve();

  constructor(readonly options: MediaOptions) {
    super();
    const { receive, sendsAudio, sendsVideo, encodings, codec, iceServers } = options;
    this.peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle', iceServers });
    const mixed = receive.audio === ('mix' satisfies AudioMode);
    const sound =
      sendsAudio || mixed
        ? this.peer.addTransceiver('audio', { direction: sendsAudio ? (mixed ? 'sendrecv' : 'sendonly') : 'recvonly' })
        : undefined;
    this.microphone = sendsAudio ? sound?.sender : undefined;
    if (sendsVideo) {
      const transceiver = this.peer.addTransceiver('video', { direction: 'sendonly', sendEncodings: layered(encodings, codec) });
      preferCodec(transceiver, codec);
      this.camera = transceiver.sender;
    }
    const slot = (kind: 'audio' | 'video') => this.peer.addTransceiver(kind, { direction: 'recvonly' });
    this.videoSlots = Array.from({ length: receive.video_slots }, () => slot('video'));
    const sounds = Array.from({ length: mixed ? 0 : (receive.audio_slots ?? 0) }, () => slot('audio'));
    this.audioSlots = mixed && sound ? [sound] : sounds;
    this.peer.onconnectionstatechange = () => this.onState();
  }

  /**
   * The offer, as soon as it is written: the server sees by our checks where we are, so no candidate has to be waited for.
   */
  async offer({ restart = false } = {}): Promise<string> {
    if (restart) this.peer.restartIce();
    await this.peer.setLocalDescription();
    return this.peer.localDescription?.sdp ?? '';
  }

  async answer(sdp: string): Promise<void> {
    await this.peer.setRemoteDescription({ type: 'answer', sdp });
    this.apply();
  }

  /** An offer that is not answered takes nothing with it. */
  async rollback(): Promise<void> {
    if (this.peer.signalingState === 'have-local-offer') await this.peer.setLocalDescription({ type: 'rollback' });
  }

  /** Encodes only what somebody watches. The newest word counts, whatever was being set. */
  setWanted(wanted: WantedEncoding[]): void {
    this.wanted = wanted;
    this.apply();
  }

  close(): void {
    clearTimeout(this.interruption);
    this.peer.onconnectionstatechange = null;
    this.peer.close();
  }

  private apply(): void {
    this.settingParameters = this.settingParameters.then(() => this.applyWanted()).catch(() => undefined);
  }

  private async applyWanted(): Promise<void> {
    const { camera, wanted } = this;
    const parameters = camera?.getParameters();
    // Before the answer there are no encodings to set.
    if (!camera || !wanted || !parameters || parameters.encodings.length === 0) return;
    let differs = false;
    for (const encoding of parameters.encodings) {
      // A camera of one stream has no name.
      const active = wanted.find(({ rid }) => rid === (encoding.rid ?? ''))?.active ?? true;
      differs ||= encoding.active !== active;
      encoding.active = active;
    }
    if (differs) await camera.setParameters(parameters);
  }

  private onState(): void {
    const state = this.peer.connectionState;
    clearTimeout(this.interruption);
    if (state === 'failed') this.emit('interrupted');
    if (state === 'disconnected') this.interruption = setTimeout(() => this.emit('interrupted'), INTERRUPTED_MS);
    this.emit('state', state);
  }
}

/**
 * Three temporal layers in each encoding of VP8: a viewer with little bandwidth gets fewer pictures of it before a smaller
 * one. Browsers that do not know the word leave it out.
 */
function layered(encodings: readonly CameraEncoding[], codec: VideoCodec): RTCRtpEncodingParameters[] {
  if (codec === 'VP9' || codec === 'AV1') return [oneStream(encodings)];
  return encodings.map((encoding) => ({ ...encoding, ...(codec === 'VP8' && { scalabilityMode: 'L1T3' }) }));
}

/**
 * What simulcast is in VP9 and AV1: a layer of half the width and height for each encoding but the largest, in one stream. The
 * layers lean on each other, so that together they take little more than the largest alone.
 */
function oneStream(encodings: readonly CameraEncoding[]): RTCRtpEncodingParameters & { scalabilityMode: string } {
  const largest = encodings.reduce((one, other) => (other.scaleResolutionDownBy < one.scaleResolutionDownBy ? other : one));
  const { scaleResolutionDownBy, maxBitrate } = largest;
  return { scaleResolutionDownBy, maxBitrate, scalabilityMode: `L${Math.min(encodings.length, 3)}T3` };
}

/** A camera is sent in one codec, which every viewer can be forwarded; slots take whatever comes. */
function preferCodec(transceiver: RTCRtpTransceiver, codec: VideoCodec): void {
  const { codecs } = RTCRtpReceiver.getCapabilities('video') ?? { codecs: [] };
  const wanted = codecs.filter(({ mimeType }) => [`video/${codec}`, 'video/rtx'].includes(mimeType));
  if (wanted.some(({ mimeType }) => mimeType === `video/${codec}`)) transceiver.setCodecPreferences(wanted);
}
