/**
 * Draws the picture of a room: every layer of the layout where `video.tiles.changed` puts it.
 *
 * in:  one track per slot, the own camera; tiles; members
 * out: elements inside `root`: a `<video>` per slot that stays what it is for the whole call, one for the own camera, and
 *      above them a label or a stand-in per layer
 *
 * ```
 *   slot     0 <video> shows Ada     1 <video> shows Bob      2 <video> still shows Cleo
 *   layers   Ada: slot 0             Bob: slot 1              Dan: slot 2 → stand-in until his first picture
 * ```
 *
 * A slot goes over to another member without a seam in its stream, so its element shows the former member until the new
 * one's first picture. The server stops the former one before it says who is next: what is received after that word, and
 * after what was under way then, is of the new one. Until such a picture is shown the former one may be drawn where it is
 * now, and the new one has a stand-in. So nobody is ever drawn in another's place.
 */

import type { Member } from './members';
import type { VideoTile } from './wire';

/** Pictures of the former member that are under way, or repeated after a loss, come in this time after the word. */
const UNDER_WAY_MS = 150;
/** `auto` fills a rectangle when at most this share of the picture is cropped. */
const MAX_CROP = 0.15;

interface Slot {
  readonly video: HTMLVideoElement;
  /** Whose picture the element shows. */
  owner?: string | undefined;
  /** Who is next; pictures received from `since` on are of that one. */
  awaited?: { member: string; since: number } | undefined;
}

interface LayerView {
  readonly box: HTMLElement;
  readonly standIn: HTMLElement;
  readonly label: HTMLElement;
  readonly figures: HTMLElement;
}

export interface StageOptions {
  /** Width of the canvas by its height. */
  aspect?: number;
  /** Who a member is; asked whenever something is drawn. */
  find(id: string): Member | undefined;
}

export class Stage {
  /** The whole picture; its size on the screen is the viewport. */
  readonly picture: HTMLElement;
  private slots: Slot[] = [];
  private readonly own: HTMLVideoElement;
  private ownId = '';
  private tiles: VideoTile[] = [];
  private readonly layers = new Map<number, LayerView>();
  private readonly muted = new Set<string>();
  private figures: ((tile: VideoTile) => string) | undefined;

  constructor(
    root: HTMLElement,
    private readonly options: StageOptions,
  ) {
    style();
    this.picture = element('div', 'sb-picture');
    this.picture.style.aspectRatio = String(options.aspect ?? 16 / 9);
    this.own = slotElement();
    this.own.dataset['slot'] = 'own';
    this.picture.append(this.own);
    root.replaceChildren(this.picture);
  }

  /** The own layer has no slot: the camera is here already. */
  setOwn(id: string, camera: MediaStreamTrack | undefined): void {
    this.ownId = id;
    const [shown] = (this.own.srcObject as MediaStream | null)?.getTracks() ?? [];
    if (shown !== camera) {
      this.own.srcObject = camera ? new MediaStream([camera]) : null;
      void this.own.play().catch(() => undefined);
    }
    this.draw();
  }

  /** A call begins: its slots in place of those there were. */
  bind(tracks: MediaStreamTrack[]): void {
    this.unbind();
    this.slots = tracks.map((track, number) => {
      const video = slotElement();
      video.srcObject = new MediaStream([track]);
      video.dataset['slot'] = String(number);
      const slot: Slot = { video };
      video.addEventListener('resize', () => this.draw());
      watchFrames(video, (receivedAt) => this.onFrame(slot, receivedAt));
      void video.play().catch(() => undefined);
      this.picture.append(video);
      return slot;
    });
    this.show([]);
  }

  /** The arrangement and what flows. */
  show(tiles: VideoTile[]): void {
    this.tiles = tiles;
    const now = performance.now();
    this.slots.forEach((slot, number) => this.assign(slot, tiles.find((tile) => tile.slot === number), now));
    this.draw();
  }

  /** A member is different now, or there are others. */
  membersChanged(): void {
    const now = performance.now();
    for (const { member_id: id, slot } of this.tiles) {
      const isMuted = this.options.find(id)?.videoMuted ?? false;
      if (isMuted === this.muted.has(id)) continue;
      if (isMuted) this.muted.add(id);
      else this.muted.delete(id);
      // What its slot shows is from before the mute: it is not shown again.
      for (const view of this.slots) if (view.owner === id) view.owner = undefined;
      const own = slot === null ? undefined : this.slots[slot];
      if (own && !isMuted) own.awaited = { member: id, since: now + UNDER_WAY_MS };
    }
    this.draw();
  }

  /** Text in the corner of every layer, or none. */
  setFigures(figures: ((tile: VideoTile) => string) | undefined): void {
    this.figures = figures;
    this.draw();
  }

  /** What each layer shows at the moment: the element of its member, or nothing for a stand-in. */
  views(): { tile: VideoTile; video: HTMLVideoElement | undefined }[] {
    return this.tiles.map((tile) => ({ tile, video: this.elementOf(tile) }));
  }

  dispose(): void {
    this.unbind();
    this.own.srcObject = null;
    this.picture.remove();
  }

  private unbind(): void {
    for (const slot of this.slots) {
      slot.video.srcObject = null;
      slot.video.remove();
    }
    this.slots = [];
  }

  private assign(slot: Slot, tile: VideoTile | undefined, now: number): void {
    if (!tile || tile.member_id === slot.owner) {
      slot.awaited = undefined;
      return;
    }
    const { member_id: member, encoding } = tile;
    // With an encoding the first picture of the new one is on its way, or here.
    const since = encoding === null ? now + UNDER_WAY_MS : now;
    const known = slot.awaited?.member === member ? slot.awaited.since : Infinity;
    slot.awaited = { member, since: Math.min(known, since) };
  }

  private onFrame(slot: Slot, receivedAt: number): void {
    if (!slot.awaited || receivedAt < slot.awaited.since) return;
    slot.owner = slot.awaited.member;
    slot.awaited = undefined;
    this.draw();
  }

  /** The element that shows that layer's member: of its own slot, or of one it was in before. */
  private elementOf(tile: VideoTile): HTMLVideoElement | undefined {
    if (this.options.find(tile.member_id)?.videoMuted) return undefined;
    if (tile.member_id === this.ownId) return this.own.srcObject ? this.own : undefined;
    if (tile.slot === null) return undefined;
    const own = this.slots[tile.slot];
    return (own?.owner === tile.member_id ? own : this.slots.find(({ owner }) => owner === tile.member_id))?.video;
  }

  private draw(): void {
    const used = new Set<HTMLVideoElement>();
    for (const tile of this.tiles) {
      const video = this.elementOf(tile);
      if (video) {
        used.add(video);
        put(video, tile, 2 * tile.z_index);
        video.style.objectFit = this.fit(tile, video);
        video.style.opacity = '1';
      }
      this.drawLayer(tile, video !== undefined);
    }
    // Not taken away: an element that is not laid out reports no pictures.
    const all = [this.own, ...this.slots.map(({ video }) => video)];
    for (const video of all) if (!used.has(video)) video.style.opacity = '0';
    const shown = new Set(this.tiles.map(({ layer_index: layer }) => layer));
    for (const [layer, view] of this.layers) {
      if (!shown.has(layer)) {
        view.box.remove();
        this.layers.delete(layer);
      }
    }
  }

  private drawLayer(tile: VideoTile, hasPicture: boolean): void {
    const view = this.layers.get(tile.layer_index) ?? this.newLayer(tile.layer_index);
    const member = this.options.find(tile.member_id);
    put(view.box, tile, 2 * tile.z_index + 1);
    view.box.dataset['member'] = tile.member_id;
    view.box.classList.toggle('sb-talking', member?.talking ?? false);
    view.standIn.hidden = hasPicture;
    set(view.standIn.firstElementChild as HTMLElement, initials(member?.name ?? ''));
    set(view.label, member?.name ?? '');
    view.label.hidden = !member?.name;
    view.label.classList.toggle('sb-muted', member?.audioMuted ?? false);
    const figures = this.figures?.(tile) ?? '';
    set(view.figures, figures);
    view.figures.hidden = figures === '';
  }

  private newLayer(layer: number): LayerView {
    const box = element('div', 'sb-layer');
    const standIn = element('div', 'sb-stand-in');
    standIn.append(element('span', 'sb-initials'));
    const label = element('span', 'sb-label');
    const figures = element('pre', 'sb-figures');
    box.append(standIn, label, figures);
    this.picture.append(box);
    const view = { box, standIn, label, figures };
    this.layers.set(layer, view);
    return view;
  }

  private fit(tile: VideoTile, video: HTMLVideoElement): string {
    if (tile.fit !== 'auto') return tile.fit;
    const place = (tile.width / tile.height) * (this.options.aspect ?? 16 / 9);
    const shape = video.videoWidth / video.videoHeight || place;
    return 1 - Math.min(place / shape, shape / place) <= MAX_CROP ? 'cover' : 'contain';
  }
}

/** Up to two letters: of the first and the last word. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : words;
  return letters.map((word) => [...(word ?? '')][0]?.toUpperCase() ?? '').join('');
}

/** Says of each picture that the element shows when its last packet had come. */
function watchFrames(video: HTMLVideoElement, tell: (receivedAt: number) => void): void {
  if (!('requestVideoFrameCallback' in video)) {
    // An older browser: progress is all there is to see.
    (video as HTMLVideoElement).addEventListener('timeupdate', () => tell(performance.now()));
    return;
  }
  const next = () =>
    video.requestVideoFrameCallback((now, { receiveTime }) => {
      tell(receiveTime ?? now);
      if (video.srcObject) next();
    });
  next();
}

function slotElement(): HTMLVideoElement {
  const video = element('video', 'sb-slot') as HTMLVideoElement;
  return Object.assign(video, { muted: true, playsInline: true, autoplay: true });
}

function put(target: HTMLElement, tile: VideoTile, z: number): void {
  const { style: place } = target;
  place.left = `${tile.x}%`;
  place.top = `${tile.y}%`;
  place.width = `${tile.width}%`;
  place.height = `${tile.height}%`;
  place.zIndex = String(z);
}

function set(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

function element(name: string, className: string): HTMLElement {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

let isStyled = false;

/** Once per page, in a sheet of its own that every page rule can override. */
function style(): void {
  if (isStyled) return;
  isStyled = true;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    .sb-picture { position: relative; width: 100%; overflow: hidden; background: #0b0d12; isolation: isolate; }
    .sb-slot { position: absolute; display: block; background: #0b0d12; opacity: 0; }
    .sb-layer { position: absolute; overflow: hidden; container-type: size; pointer-events: none; }
    .sb-layer [hidden] { display: none; }
    .sb-stand-in { position: absolute; inset: 0; display: grid; place-items: center; background: #1a2130; }
    .sb-initials {
      display: grid; place-items: center; height: 44cqmin; aspect-ratio: 1; border-radius: 50%;
      background: #33405c; color: #e8ecf4; font-size: 18cqmin; font-weight: 600; line-height: 1; letter-spacing: .02em;
    }
    .sb-label {
      position: absolute; left: 0; bottom: 0; max-width: 100%; box-sizing: border-box; padding: .25em .7em;
      overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
      background: #0009; color: #fff; font-size: clamp(10px, 4.8cqh, 18px); line-height: 1.4; border-top-right-radius: .5em;
    }
    .sb-muted::after { content: " · muted"; opacity: .7; }
    .sb-talking::after { content: ""; position: absolute; inset: 0; box-shadow: inset 0 0 0 max(2px, 1cqmin) #58d39b; }
    .sb-figures {
      position: absolute; right: 6px; top: 6px; margin: 0; padding: 4px 8px; border-radius: 6px; background: #000b;
      color: #cfe3ff; font: 500 11px/1.35 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre; text-align: left;
    }
  `);
  document.adoptedStyleSheets = [sheet, ...document.adoptedStyleSheets];
}
