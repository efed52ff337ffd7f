/** Who is in the room, kept from the events of the call. */

export interface Member {
  id: string;
  name: string;
  audioMuted: boolean;
  videoMuted: boolean;
  talking: boolean;
}

/** The fields of a member as it travels; absent ones keep their value. */
export interface MemberPayload {
  id: string;
  name?: string;
  type?: string;
  audio_muted?: boolean;
  video_muted?: boolean;
  talking?: boolean;
}

export class Members {
  private readonly known = new Map<string, Member>();

  constructor(private readonly changed: (members: Member[]) => void) {}

  all(): Member[] {
    return [...this.known.values()];
  }

  find(id: string): Member | undefined {
    return this.known.get(id);
  }

  /** The whole list, as given at the join. */
  replace(payloads: MemberPayload[]): void {
    this.known.clear();
    payloads.forEach((payload) => this.merge(payload));
    this.changed(this.all());
  }

  update(payload: MemberPayload): void {
    this.merge(payload);
    this.changed(this.all());
  }

  /** Events about members that have left already are late; they change nothing. */
  updateKnown(payload: MemberPayload): void {
    if (this.known.has(payload.id)) this.update(payload);
  }

  remove(id: string): void {
    this.known.delete(id);
    this.changed(this.all());
  }

  private merge(payload: MemberPayload): void {
    const before = this.known.get(payload.id);
    const audioMuted = payload.audio_muted ?? before?.audioMuted ?? false;
    this.known.set(payload.id, {
      id: payload.id,
      name: payload.name ?? before?.name ?? '',
      audioMuted,
      videoMuted: payload.video_muted ?? before?.videoMuted ?? false,
      talking: !audioMuted && (payload.talking ?? before?.talking ?? false),
    });
  }
}
