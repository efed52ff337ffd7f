/** One call of this page: a thin layer over the SDK's room session. */

import { Video } from '@signalwire/js';
import { Members, type Member, type MemberPayload } from './members';

export interface CallEvents {
  members(members: Member[], self: string): void;
  layout(name: string): void;
  connection(text: string): void;
  ended(reason: string): void;
}

type Session = InstanceType<typeof Video.RoomSession>;

export class Call {
  private readonly members: Members;
  private self = '';
  private leaving = false;
  private title = '';

  private constructor(
    private readonly session: Session,
    private readonly events: CallEvents,
  ) {
    this.members = new Members((all) => this.events.members(all, this.self));
  }

  /** Resolves when the room has taken us in and its picture is on the way to `rootElement`. */
  static async join(token: string, rootElement: HTMLElement, events: CallEvents): Promise<Call> {
    const devices = await presentDevices();
    const session = new Video.RoomSession({
      token,
      rootElement,
      host: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`,
      // The composed picture shows everybody alike, oneself too.
      applyLocalVideoOverlay: false,
    });
    const call = new Call(session, events);
    call.listen();
    await session.join({ ...devices, receiveAudio: true, receiveVideo: true });
    return call;
  }

  get roomTitle(): string {
    return this.title;
  }

  async layouts(): Promise<string[]> {
    const { layouts } = (await this.session.getLayouts()) as { layouts: string[] };
    return layouts;
  }

  async setLayout(name: string): Promise<void> {
    await this.session.setLayout({ name });
  }

  async setMicrophone(on: boolean): Promise<void> {
    await (on ? this.session.audioUnmute() : this.session.audioMute());
  }

  async setCamera(on: boolean): Promise<void> {
    await (on ? this.session.videoUnmute() : this.session.videoMute());
  }

  async leave(): Promise<void> {
    this.leaving = true;
    await this.session.leave();
  }

  private listen(): void {
    const { session, members } = this;
    session.on('room.joined', (params) => {
      this.self = params.member_id;
      this.title = params.room_session.display_name || params.room_session.name;
      members.replace((params.room_session.members ?? []) as MemberPayload[]);
      this.events.layout(params.room_session.layout_name);
    });
    session.on('member.joined', ({ member }) => members.update(member as MemberPayload));
    session.on('member.updated', ({ member }) => members.updateKnown(member as MemberPayload));
    session.on('member.talking', ({ member }) => members.updateKnown(member as MemberPayload));
    session.on('member.left', ({ member }) => members.remove(member.id));
    session.on('layout.changed', ({ layout }) => this.events.layout(layout.name));
    session.on('media.connected', () => this.events.connection(''));
    session.on('media.reconnecting', () => this.events.connection('Reconnecting …'));
    session.on('media.disconnected', () => this.events.connection('Disconnected'));
    session.on('room.left', (params) => {
      const why = this.leaving ? 'You left the room.' : endText((params as { reason?: string } | undefined)?.reason);
      this.events.ended(why);
    });
  }
}

function endText(reason: string | undefined): string {
  if (reason === 'RECONNECTION_ATTEMPT_TIMEOUT') return 'The connection to the room was lost.';
  return 'The call has ended: you were removed, or the room was closed.';
}

/** A member without camera or microphone still sees and hears the others. */
async function presentDevices(): Promise<{ audio: boolean; video: boolean }> {
  if (!navigator.mediaDevices) {
    throw new Error('Camera and microphone need a secure page: open it by https or from localhost.');
  }
  const kinds = (await navigator.mediaDevices.enumerateDevices()).map((device) => device.kind);
  return { audio: kinds.includes('audioinput'), video: kinds.includes('videoinput') };
}
