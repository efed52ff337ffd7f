/**
 * One member of a room that draws the layout itself.
 *
 * in:  a room token, tracks to send, an element to draw in
 * out: events; the picture; sound
 *
 * ```
 *   join ─► connect ─► offer ─► answer ─► joined ──────────────► left
 *                        ▲                  │ ▲                    ▲
 *                        └── new role ──────┤ └─ reconnecting ─────┤ (60 s in vain, bye, leave)
 * ```
 */

import { Connection } from './connection';
import { Emitter } from './events';
import { CAMERA_ENCODINGS, Media, type CameraEncoding, type VideoCodec } from './media';
import { Members, type Member } from './members';
import { Stage } from './stage';
import { Statistics, slotText, type CallStatistics } from './statistics';
import { Viewport } from './viewport';
import {
  RequestError,
  type AudioMode,
  type AudioTile,
  type Authorization,
  type ConnectResult,
  type EventFrame,
  type Layout,
  type MemberPayload,
  type Receive,
  type RoomPayload,
  type Tiles,
  type WantedEncoding,
} from './wire';

/** Events of the room that the client follows. */
const SUBSCRIBED = [
  'video.room.subscribed',
  'video.room.updated',
  'video.room.audience_count',
  'video.member.joined',
  'video.member.updated',
  'video.member.left',
  'video.member.talking',
  'video.layout.changed',
];

/** The server answers an offer within this, or never. */
const ANSWER_MS = 20_000;
const STATISTICS_MS = 1000;
const RESUME_AGAIN_MS = 2000;

export interface TileClientOptions {
  /** A video room token. */
  token: string;
  /** Where the server is, `wss://host`; by default where the page is from. */
  host?: string;
  /** Where to draw. Its content is replaced; the picture fills its width and keeps its shape. */
  stage: HTMLElement;
  /** What to send; tracks the token does not allow are not sent. Nothing: receives only. */
  stream?: MediaStream | undefined;
  /** 1 to 25, by default 9. */
  videoSlots?: number;
  /** By default the mix. */
  audio?: AudioMode;
  /** 1 to 8, by default 3; for `audio: 'slots'`. */
  audioSlots?: number;
  /**
   * What the camera is sent in; by default VP8, which every browser sends as simulcast with temporal layers. VP9 and AV1 where
   * the room allows them (`room.video_codecs`).
   */
  codec?: VideoCodec;
  /** Of the camera, smallest first. */
  encodings?: readonly CameraEncoding[];
  /** Width of the room's canvas by its height, by default 16 / 9. */
  aspect?: number;
}

export type TileClientState = 'connecting' | 'joined' | 'reconnecting' | 'left';

export type TileClientEvents = {
  state: [state: TileClientState];
  /** Everybody, whenever somebody comes, goes or is different. */
  members: [members: Member[]];
  /** The room's layout, as clients of the canvas know it. */
  layout: [layout: Layout];
  /** What is where, after it has been drawn. */
  tiles: [tiles: Tiles];
  /** Who is in which sound slot; only with `audio: 'slots'`. */
  speakers: [audio: AudioTile[]];
  /** Which encodings of the own camera anybody watches. */
  wanted: [encodings: WantedEncoding[]];
  /** Promoted or demoted; the call is made anew by itself. */
  role: [authorization: Authorization];
  /** The browser plays no sound before the page is clicked: call `resumeAudio` then. */
  audioBlocked: [];
  /** Once a second while the statistics are shown. */
  statistics: [statistics: CallStatistics];
  /** The last event. */
  left: [reason: string];
};

/** A call of this session: its name and its peer connection. */
interface Call {
  id: string;
  media: Media;
  answered?: ((sdp: string) => void) | undefined;
  failed?: ((error: Error) => void) | undefined;
}

export class TileClient extends Emitter<TileClientEvents> {
  /** Own member id, once joined. */
  memberId = '';
  roomSessionId = '';
  /** For people. */
  roomTitle = '';
  layoutName = '';
  state: TileClientState = 'connecting';
  readonly stage: Stage;
  private readonly connection: Connection;
  private readonly members = new Members();
  private readonly statistics = new Statistics();
  private readonly players: HTMLAudioElement[] = [];
  private authorization: Authorization | undefined;
  private iceServers: RTCIceServer[] = [];
  private call: Call | undefined;
  private viewport: Viewport | undefined;
  private nodeId: string | undefined;
  private lastTiles: Tiles | undefined;
  private isAudioOn = true;
  private isVideoOn = true;
  private figures: ReturnType<typeof setInterval> | undefined;
  private resuming: Promise<void> | undefined;
  private joined: { resolve(): void; reject(error: unknown): void } | undefined;

  /** Joins; resolves when the room has taken us in. Listen with `on` afterwards: `members`, `layoutName` hold what was. */
  static async join(options: TileClientOptions): Promise<TileClient> {
    const client = new TileClient(options);
    try {
      await client.begin();
    } catch (error) {
      client.end('The room could not be joined.');
      throw error;
    }
    return client;
  }

  private constructor(private readonly options: TileClientOptions) {
    super();
    const page = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`;
    this.connection = new Connection(options.host ?? page, options.token);
    this.stage = new Stage(options.stage, {
      find: (id) => this.members.find(id),
      ...(options.aspect === undefined ? {} : { aspect: options.aspect }),
    });
    this.connection.on('event', (frame) => this.onEvent(frame));
    this.connection.on('up', (result, again) => this.onUp(result, again));
    this.connection.on('down', () => this.setState('reconnecting'));
    this.connection.on('over', (reason) => this.end(reason));
  }

  /** Everybody in the room, in order of arrival. */
  allMembers(): Member[] {
    return this.members.all();
  }

  /** The last `video.tiles.changed`. */
  tiles(): Tiles | undefined {
    return this.lastTiles;
  }

  /** What the token, or a promotion, allows. */
  permissions(): string[] {
    return this.authorization?.room.scopes ?? [];
  }

  /**
   * Any method of the room session, as `docs/compatibility.md` lists them, about oneself unless `member_id` says otherwise.
   * Rejects with a `RequestError`.
   */
  async request(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    return this.connection.request(method, {
      room_session_id: this.roomSessionId,
      member_id: this.memberId,
      ...params,
    });
  }

  /** Mutes or unmutes the own microphone, in the room and at the device. */
  async setMicrophone(on: boolean): Promise<void> {
    await this.request(on ? 'video.member.audio_unmute' : 'video.member.audio_mute');
    await this.switchTracks({ audio: on });
  }

  /** Stops or starts the own camera; the others see a stand-in meanwhile. */
  async setCamera(on: boolean): Promise<void> {
    await this.request(on ? 'video.member.video_unmute' : 'video.member.video_mute');
    await this.switchTracks({ video: on });
  }

  /** Sends other tracks from now on, such as those of another camera, without a new call. */
  async setStream(stream: MediaStream): Promise<void> {
    this.options.stream = stream;
    await this.switchTracks({});
  }

  async setLayout(name: string): Promise<void> {
    await this.request('video.set_layout', { name });
  }

  async layouts(): Promise<string[]> {
    return (await this.request('video.list_available_layouts'))['layouts'] as string[];
  }

  /** Plays what the browser has held back; call it from a click. */
  async resumeAudio(): Promise<void> {
    await Promise.all(this.players.map((player) => player.play()));
  }

  /** How the call goes; rates are over the time since the last look. */
  async look(): Promise<CallStatistics | undefined> {
    return this.call && this.statistics.look(this.call.media);
  }

  /** Writes statistics into every tile once a second, or stops to. */
  showStatistics(on: boolean): void {
    clearInterval(this.figures);
    this.stage.setFigures(undefined);
    if (!on || this.state === 'left') return;
    const look = async () => {
      const now = await this.look();
      if (!now) return;
      this.stage.setFigures(({ slot, encoding }) =>
        slot === null ? '' : slotText(now.slots.find((one) => one.slot === slot), encoding),
      );
      this.emit('statistics', now);
    };
    void look();
    this.figures = setInterval(() => void look().catch(() => undefined), STATISTICS_MS);
  }

  /** Hangs up. */
  async leave(): Promise<void> {
    const { call } = this;
    if (call && this.state !== 'left') {
      await this.verto(call.id, 'verto.bye', { cause: 'NORMAL_CLEARING', causeCode: '16' }).catch(() => undefined);
    }
    this.end('You left the room.');
  }

  // ---- joining ----

  private async begin(): Promise<void> {
    const { authorization, ice_servers: servers } = await this.connection.open();
    this.iceServers = servers;
    this.authorization = authorization;
    this.isAudioOn = !authorization.room.join_audio_muted;
    this.isVideoOn = !authorization.room.join_video_muted;
    const subscribed = new Promise<void>((resolve, reject) => (this.joined = { resolve, reject }));
    subscribed.catch(() => undefined);
    await this.dial();
    await subscribed;
    this.viewport = new Viewport(this.stage.picture, ({ width, height }) => void this.tellViewport(width, height));
    this.setState('joined');
  }

  private receive(): Receive {
    const { videoSlots = 9, audio = 'mix', audioSlots = 3 } = this.options;
    return { mode: 'tiles', video_slots: videoSlots, audio, ...(audio === 'slots' && { audio_slots: audioSlots }) };
  }

  /** A new call: the first, or the one by which a new role begins. */
  private async dial(): Promise<void> {
    const { stream, encodings = CAMERA_ENCODINGS, codec = 'VP8' } = this.options;
    const may = (allowed: string | undefined) => allowed === 'both';
    const media = new Media({
      receive: this.receive(),
      sendsAudio: may(this.authorization?.audio_allowed) && stream !== undefined,
      sendsVideo: may(this.authorization?.video_allowed) && stream !== undefined,
      encodings,
      codec,
      iceServers: this.iceServers,
    });
    const before = this.call;
    const call: Call = { id: crypto.randomUUID(), media };
    this.call = call;
    media.on('interrupted', () => this.call === call && void this.resume());
    try {
      await this.switchTracks({});
      await this.negotiate(call, await media.offer());
    } catch (error) {
      media.close();
      this.call = before;
      throw error;
    }
    this.play(media);
    await this.switchTracks({});
    this.stage.bind(media.videoSlots.map(({ receiver }) => receiver.track));
    this.drawTiles();
    if (before) {
      before.media.close();
      await this.verto(before.id, 'verto.bye', {}).catch(() => undefined);
      this.viewport?.repeat();
    }
  }

  /** Invites with an offer and takes the answer. */
  private async negotiate(call: Call, sdp: string): Promise<void> {
    const answer = new Promise<string>((resolve, reject) => {
      [call.answered, call.failed] = [resolve, reject];
    });
    answer.catch(() => undefined);
    const timer = setTimeout(() => call.failed?.(new Error('The room did not answer.')), ANSWER_MS);
    try {
      const created = await this.verto(call.id, 'verto.invite', { sdp });
      this.memberId = String(created['memberID'] ?? this.memberId);
      await call.media.answer(await answer);
    } finally {
      clearTimeout(timer);
      [call.answered, call.failed] = [undefined, undefined];
    }
  }

  /** A verto frame about a call. */
  private verto(call: string, method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    const dialogParams = { callID: call, ...(method === 'verto.invite' && { receive: this.receive() }) };
    return this.connection.request('video.message', {
      callID: call,
      ...(this.nodeId && { node_id: this.nodeId }),
      ...(method === 'verto.invite' && { subscribe: SUBSCRIBED }),
      message: { jsonrpc: '2.0', id: crypto.randomUUID(), method, params: { dialogParams, ...params } },
    });
  }

  // ---- losing and finding again ----

  private onUp(result: ConnectResult, again: boolean): void {
    if (!again) return;
    this.authorization = result.authorization;
    void this.resume();
  }

  /** The socket or the path was lost: the same call goes on over another, by an ICE restart. One at a time. */
  private resume(): Promise<void> {
    this.resuming ??= this.restart().finally(() => (this.resuming = undefined));
    return this.resuming;
  }

  private async restart(): Promise<void> {
    const { call } = this;
    if (!call || this.state === 'left') return;
    this.setState('reconnecting');
    try {
      await call.media.rollback();
      await this.negotiate(call, await call.media.offer({ restart: true }));
      this.viewport?.repeat();
      this.setState('joined');
    } catch (error) {
      // Without a socket the next one tries again. A refusal means that the room has forgotten us.
      if (error instanceof RequestError && error.code !== '0') this.end(error.message);
      else await call.media.rollback().catch(() => undefined);
      setTimeout(() => this.call === call && void this.again(), RESUME_AGAIN_MS);
    }
  }

  /** An attempt that failed is followed by another, unless the next socket has made it already. */
  private async again(): Promise<void> {
    if (this.state === 'reconnecting' && this.connection.hasSocket()) await this.resume();
  }

  // ---- events of the server ----

  private onEvent({ event_type: name, node_id: node, params }: EventFrame): void {
    switch (name) {
      case 'webrtc.message':
        this.nodeId = node;
        return this.onVerto(params);
      case 'video.room.subscribed':
        return this.onSubscribed(params);
      case 'video.room.updated':
        this.layoutName = (params['room_session'] as RoomPayload).layout_name;
        return;
      case 'video.member.joined':
        this.members.merge(params['member'] as MemberPayload);
        return this.membersChanged();
      case 'video.member.updated':
        return this.onMemberUpdated(params['member'] as MemberPayload);
      case 'video.member.talking':
        if (this.members.mergeKnown(params['member'] as MemberPayload)) this.membersChanged();
        return;
      case 'video.member.left':
        this.members.remove((params['member'] as MemberPayload).id);
        return this.membersChanged();
      case 'video.layout.changed': {
        const layout = params['layout'] as Layout;
        this.layoutName = layout.name;
        return this.emit('layout', layout);
      }
      case 'video.tiles.changed':
        return this.onTiles(params as unknown as Tiles);
      case 'video.encodings.wanted':
        return this.onWanted(params as unknown as { call_id: string; encodings: WantedEncoding[] });
      case 'video.member.promoted':
      case 'video.member.demoted':
        return this.onRole(params as unknown as { member_id: string; authorization: Authorization });
      default:
    }
  }

  private onVerto(params: Record<string, unknown>): void {
    const inner = params['params'] as { callID?: string; sdp?: string; cause?: string } | undefined;
    const { call } = this;
    if (!call || inner?.callID !== call.id) return;
    if (params['method'] === 'verto.answer') call.answered?.(inner.sdp ?? '');
    if (params['method'] === 'verto.bye') {
      call.failed?.(new Error(`The room ended the call: ${inner.cause ?? 'no reason given'}.`));
      this.end('The call has ended: you were removed, or the room was closed.');
    }
  }

  private onSubscribed(params: Record<string, unknown>): void {
    if (params['call_id'] !== this.call?.id) return;
    const room = params['room_session'] as RoomPayload;
    this.memberId = String(params['member_id']);
    this.roomSessionId = room.id;
    this.roomTitle = room.display_name || room.name;
    this.layoutName = room.layout_name;
    this.members.replace(room.members ?? []);
    this.membersChanged();
    this.joined?.resolve();
    this.joined = undefined;
  }

  private onMemberUpdated(payload: MemberPayload): void {
    if (!this.members.mergeKnown(payload)) return;
    this.membersChanged();
    // Somebody else may have muted us.
    if (payload.id === this.memberId) {
      void this.switchTracks({ audio: payload.audio_muted !== true, video: payload.video_muted !== true });
    }
  }

  private onTiles(tiles: Tiles): void {
    if (tiles.call_id !== this.call?.id) return;
    this.lastTiles = tiles;
    this.drawTiles();
    this.emit('tiles', tiles);
    if (tiles.audio.length > 0) this.emit('speakers', tiles.audio);
  }

  private drawTiles(): void {
    if (this.lastTiles?.call_id === this.call?.id) this.stage.show(this.lastTiles?.video ?? []);
  }

  private onWanted({ call_id: id, encodings }: { call_id: string; encodings: WantedEncoding[] }): void {
    if (id !== this.call?.id) return;
    this.call.media.setWanted(encodings);
    this.emit('wanted', encodings);
  }

  private onRole({ member_id: id, authorization }: { member_id: string; authorization: Authorization }): void {
    if (id !== this.memberId) return;
    this.authorization = authorization;
    this.isAudioOn = !authorization.room.join_audio_muted;
    this.isVideoOn = !authorization.room.join_video_muted;
    this.emit('role', authorization);
    void this.dial().catch(() => this.end('The call could not be made anew.'));
  }

  // ---- media ----

  private async switchTracks({ audio = this.isAudioOn, video = this.isVideoOn }): Promise<void> {
    [this.isAudioOn, this.isVideoOn] = [audio, video];
    const { stream } = this.options;
    const media = this.call?.media;
    const track = (on: boolean, tracks: MediaStreamTrack[] | undefined) => (on ? (tracks?.[0] ?? null) : null);
    this.stage.setOwn(this.memberId, media?.camera ? stream?.getVideoTracks()[0] : undefined);
    await media?.microphone?.replaceTrack(track(audio, stream?.getAudioTracks()));
    await media?.camera?.replaceTrack(track(video, stream?.getVideoTracks()));
  }

  /** Sound has no place on the picture: elements that are in no document. */
  private play(media: Media): void {
    this.players.splice(0).forEach((player) => (player.srcObject = null));
    for (const { receiver } of media.audioSlots) {
      const player = new Audio();
      player.srcObject = new MediaStream([receiver.track]);
      this.players.push(player);
      player.play().catch((error: unknown) => {
        if (error instanceof DOMException && error.name === 'NotAllowedError') this.emit('audioBlocked');
      });
    }
  }

  private async tellViewport(width: number, height: number): Promise<void> {
    if (!this.call || this.state === 'left') return;
    // One that is lost with its socket is repeated when the call resumes.
    await this.request('video.tiles.set_viewport', { call_id: this.call.id, width, height }).catch(() => undefined);
  }

  private membersChanged(): void {
    this.stage.membersChanged();
    this.emit('members', this.members.all());
  }

  private setState(state: TileClientState): void {
    if (this.state === state || this.state === 'left') return;
    this.state = state;
    this.emit('state', state);
  }

  private end(reason: string): void {
    if (this.state === 'left') return;
    this.setState('left');
    this.joined?.reject(new Error(reason));
    clearInterval(this.figures);
    this.viewport?.stop();
    this.call?.media.close();
    this.players.splice(0).forEach((player) => (player.srcObject = null));
    this.stage.dispose();
    this.connection.close(reason);
    this.emit('left', reason);
  }
}
