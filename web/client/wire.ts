/** What travels between this client and the server: only what the client looks at. `docs/tiles.md` explains it. */

/** `mix`: one stream without one's own voice. `slots`: the loudest speakers, a stream each. */
export type AudioMode = 'mix' | 'slots';

/** `dialogParams.receive` of an invite. */
export interface Receive {
  mode: 'tiles';
  video_slots: number;
  audio: AudioMode;
  audio_slots?: number;
}

/** A member as it travels; in `member.talking` most fields are absent. */
export interface MemberPayload {
  id: string;
  name?: string;
  type?: 'member' | 'screen' | 'device';
  parent_id?: string;
  audio_muted?: boolean;
  video_muted?: boolean;
  deaf?: boolean;
  on_hold?: boolean;
  handraised?: boolean;
  talking?: boolean;
  current_position?: string;
  meta?: Record<string, unknown>;
}

export interface RoomPayload {
  id: string;
  name: string;
  display_name: string;
  layout_name: string;
  members?: MemberPayload[];
}

/** One rectangle of the layout, in percent of the picture. */
export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** A layer of `video.layout.changed`; `member_id` is absent when it is empty. */
export interface Layer extends Rectangle {
  layer_index: number;
  z_index: number;
  member_id?: string;
  position: string;
  visible: boolean;
}

/** `layout` of `video.layout.changed`. */
export interface Layout {
  name: string;
  version: number;
  layers: Layer[];
}

/** A layer that holds a member, and the slot that carries it. */
export interface VideoTile extends Rectangle {
  layer_index: number;
  z_index: number;
  fit: 'contain' | 'cover' | 'auto';
  member_id: string;
  /** The n-th recvonly video section of the offer; `null`: draw a stand-in. */
  slot: number | null;
  /** 0 is the smallest encoding; `null`: none flows yet. */
  encoding: number | null;
}

export interface AudioTile {
  slot: number;
  member_id: string | null;
}

/** Params of `video.tiles.changed`. */
export interface Tiles {
  call_id: string;
  version: number;
  video: VideoTile[];
  audio: AudioTile[];
}

/** One of `encodings` of `video.encodings.wanted`. */
export interface WantedEncoding {
  rid: string;
  active: boolean;
}

export type Allowed = 'both' | 'receive' | 'none';

/** What the token allows, as the server told at connect. */
export interface Authorization {
  join_as: 'member' | 'audience';
  audio_allowed: Allowed;
  video_allowed: Allowed;
  room: { name: string; scopes: string[]; join_audio_muted: boolean; join_video_muted: boolean };
}

export interface ConnectResult {
  protocol: string;
  authorization: Authorization;
  ice_servers: RTCIceServer[];
}

/** Params of `signalwire.event`. */
export interface EventFrame {
  event_type: string;
  node_id?: string;
  params: Record<string, unknown>;
}

/** A request that the server refused; `code` is `"403"`, `"404"`, `"422"` … */
export class RequestError extends Error {
  override readonly name = 'RequestError';

  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}
