/** One call of the tiles page: a thin layer over the tile client, in the shape of the one over the SDK. */

import { TileClient, sentText } from '../client/index';
import type { CallEvents } from './call';
import type { RoomCall } from './room-page';

/** HD, so that the largest tile of a large screen is sharp; what nobody needs is not sent. */
const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };

export class TileCall implements RoomCall {
  private deaf: () => void = () => undefined;

  private constructor(private readonly client: TileClient) {}

  static async join(token: string, stage: HTMLElement, events: CallEvents): Promise<TileCall> {
    const stream = await presentStream();
    const client = await TileClient.join({ token, stage, stream });
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    client.on('members', (members) => events.members(members, client.memberId));
    client.on('layout', ({ name }) => events.layout(name));
    client.on('state', (state) => events.connection(state === 'reconnecting' ? 'Reconnecting …' : ''));
    client.on('left', (reason) => (stop(), events.ended(reason)));
    // Sound that the browser held back comes with the next click anywhere.
    client.on('audioBlocked', () => addEventListener('click', () => void client.resumeAudio(), { once: true }));
    events.members(client.allMembers(), client.memberId);
    events.layout(client.layoutName);
    return new TileCall(client);
  }

  get roomTitle(): string {
    return this.client.roomTitle;
  }

  layouts(): Promise<string[]> {
    return this.client.layouts();
  }

  setLayout(name: string): Promise<void> {
    return this.client.setLayout(name);
  }

  setMicrophone(on: boolean): Promise<void> {
    return this.client.setMicrophone(on);
  }

  setCamera(on: boolean): Promise<void> {
    return this.client.setCamera(on);
  }

  leave(): Promise<void> {
    return this.client.leave();
  }

  /** Shows figures in every tile, and gives one line about the whole call to `tell` each second. */
  showStatistics(on: boolean, tell: (line: string) => void): void {
    this.deaf();
    this.deaf = on ? this.client.on('statistics', (statistics) => tell(sentText(statistics))) : () => undefined;
    this.client.showStatistics(on);
  }
}

/** A member without camera or microphone still sees and hears the others. */
async function presentStream(): Promise<MediaStream | undefined> {
  if (!navigator.mediaDevices) {
    throw new Error('Camera and microphone need a secure page: open it by https or from localhost.');
  }
  const kinds = (await navigator.mediaDevices.enumerateDevices()).map((device) => device.kind);
  const [audio, video] = [kinds.includes('audioinput'), kinds.includes('videoinput') && CAMERA];
  return audio || video ? navigator.mediaDevices.getUserMedia({ audio, video }) : undefined;
}
