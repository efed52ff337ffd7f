/** Who is in the room, kept from the events of the call. */

import type { MemberPayload } from './wire';

export interface Member {
  id: string;
  name: string;
  /** `screen` and `device` are further sources of the member `parentId`. */
  type: 'member' | 'screen' | 'device';
  parentId: string;
  audioMuted: boolean;
  videoMuted: boolean;
  talking: boolean;
  handRaised: boolean;
  onHold: boolean;
  position: string;
  meta: Record<string, unknown>;
}

export class Members {
  private readonly known = new Map<string, Member>();

  all(): Member[] {
    return [...this.known.values()];
  }

  find(id: string): Member | undefined {
    return this.known.get(id);
  }

  replace(payloads: MemberPayload[]): void {
    this.known.clear();
    payloads.forEach((payload) => this.merge(payload));
  }

  /** Fields that are absent keep their value. */
  merge(payload: MemberPayload): void {
    const before = this.known.get(payload.id);
    const audioMuted = payload.audio_muted ?? before?.audioMuted ?? false;
    this.known.set(payload.id, {
      id: payload.id,
      name: payload.name ?? before?.name ?? '',
      type: payload.type ?? before?.type ?? 'member',
      parentId: payload.parent_id ?? before?.parentId ?? '',
      audioMuted,
      videoMuted: payload.video_muted ?? before?.videoMuted ?? false,
      talking: !audioMuted && (payload.talking ?? before?.talking ?? false),
      handRaised: payload.handraised ?? before?.handRaised ?? false,
      onHold: payload.on_hold ?? before?.onHold ?? false,
      position: payload.current_position ?? before?.position ?? '',
      meta: payload.meta ?? before?.meta ?? {},
    });
  }

  /** News of somebody who has left already is late; it changes nothing. */
  mergeKnown(payload: MemberPayload): boolean {
    if (!this.known.has(payload.id)) return false;
    this.merge(payload);
    return true;
  }

  remove(id: string): void {
    this.known.delete(id);
  }
}
