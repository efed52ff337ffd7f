/**
 * What a call costs and how well it goes, out of `RTCPeerConnection.getStats()`.
 *
 * in:  two reports, the time between them
 * out: numbers per slot, per sent encoding and of the path, with rates over that time
 */

import type { Media } from './media';

/** What comes in one video slot. */
export interface SlotStatistics {
  slot: number;
  codec: string;
  width: number;
  height: number;
  framesPerSecond: number;
  framesDecoded: number;
  bitsPerSecond: number;
  packetsLost: number;
  /** Share of the packets of this interval that were lost and not repeated in time, 0 … 1. */
  loss: number;
  freezes: number;
  /** Total, in seconds. */
  frozen: number;
  jitterMs: number;
}

/** One encoding of the own camera. */
export interface EncodingStatistics {
  rid: string;
  active: boolean;
  codec: string;
  width: number;
  height: number;
  framesPerSecond: number;
  framesEncoded: number;
  bitsPerSecond: number;
  limitation: string;
}

export interface CallStatistics {
  slots: SlotStatistics[];
  sent: EncodingStatistics[];
  /** Of the path, if it is known. */
  roundTripMs: number | undefined;
  /** What the browser believes it may send, in bits per second. */
  availableOutgoing: number | undefined;
  received: { bitsPerSecond: number };
}

type Report = Record<string, unknown> & { id: string; type: string; timestamp: number };

/** Keeps the last report, so that each look is about the time since the one before. */
export class Statistics {
  private before = new Map<string, Report>();

  async look(media: Media): Promise<CallStatistics> {
    const now = new Map<string, Report>();
    (await media.peer.getStats()).forEach((report: Report) => now.set(report.id, report));
    const { before } = this;
    this.before = now;

    const difference = (report: Report, name: string) => number(report, name) - number(before.get(report.id), name);
    const rate = (report: Report, name: string) => {
      const seconds = (report.timestamp - (before.get(report.id)?.timestamp ?? report.timestamp)) / 1000;
      return seconds > 0 ? Math.max(0, (8 * difference(report, name)) / seconds) : 0;
    };
    const codecOf = (report: Report) => text(now.get(text(report, 'codecId')), 'mimeType').split('/')[1] ?? '';
    const all = [...now.values()];

    const slots = media.videoSlots.flatMap(({ mid }, slot) => {
      const report = all.find((one) => one.type === 'inbound-rtp' && one['kind'] === 'video' && one['mid'] === mid);
      if (!report) return [];
      const [lost, received] = [difference(report, 'packetsLost'), difference(report, 'packetsReceived')];
      return {
        slot,
        codec: codecOf(report),
        width: number(report, 'frameWidth'),
        height: number(report, 'frameHeight'),
        framesPerSecond: number(report, 'framesPerSecond'),
        framesDecoded: number(report, 'framesDecoded'),
        bitsPerSecond: rate(report, 'bytesReceived'),
        packetsLost: number(report, 'packetsLost'),
        loss: lost > 0 ? lost / (lost + received) : 0,
        freezes: number(report, 'freezeCount'),
        frozen: number(report, 'totalFreezesDuration'),
        jitterMs: 1000 * number(report, 'jitter'),
      };
    });
    const sent = all
      .filter((one) => one.type === 'outbound-rtp' && one['kind'] === 'video')
      .map((report) => ({
        rid: text(report, 'rid'),
        active: report['active'] !== false,
        codec: codecOf(report),
        width: number(report, 'frameWidth'),
        height: number(report, 'frameHeight'),
        framesPerSecond: number(report, 'framesPerSecond'),
        framesEncoded: number(report, 'framesEncoded'),
        bitsPerSecond: rate(report, 'bytesSent'),
        limitation: text(report, 'qualityLimitationReason'),
      }));
    const path = all.find((one) => one.type === 'candidate-pair' && one['nominated'] === true && one['state'] === 'succeeded');
    const transport = all.find((one) => one.type === 'transport');
    return {
      slots,
      sent: sent.sort((a, b) => a.width - b.width),
      roundTripMs: path && 'currentRoundTripTime' in path ? 1000 * number(path, 'currentRoundTripTime') : undefined,
      availableOutgoing: path && 'availableOutgoingBitrate' in path ? number(path, 'availableOutgoingBitrate') : undefined,
      received: { bitsPerSecond: transport ? rate(transport, 'bytesReceived') : 0 },
    };
  }
}

/** Some lines about one slot, short enough for the corner of a tile. */
export function slotText(slot: SlotStatistics | undefined, encoding: number | null): string {
  if (!slot) return 'no stream';
  const { width, height, framesPerSecond, bitsPerSecond, codec, loss, freezes, frozen } = slot;
  return [
    `slot ${slot.slot} · encoding ${encoding ?? '–'} · ${codec}`,
    `${width}×${height} ${Math.round(framesPerSecond)} fps · ${kilobits(bitsPerSecond)}`,
    `loss ${(100 * loss).toFixed(1)} % · ${freezes} freezes ${frozen.toFixed(1)} s`,
  ].join('\n');
}

/** One line about what is sent. */
export function sentText({ sent, roundTripMs, availableOutgoing, received }: CallStatistics): string {
  const one = (encoding: EncodingStatistics) =>
    `${encoding.rid || 'video'} ${
      encoding.active && encoding.framesPerSecond > 0
        ? `${encoding.width}×${encoding.height} ${kilobits(encoding.bitsPerSecond)}`
        : 'paused'
    }`;
  return [
    `in ${kilobits(received.bitsPerSecond)}`,
    ...(sent.length ? [`out ${sent.map(one).join(', ')}`] : []),
    ...(availableOutgoing ? [`may send ${kilobits(availableOutgoing)}`] : []),
    ...(roundTripMs === undefined ? [] : [`${roundTripMs.toFixed(0)} ms`]),
  ].join(' · ');
}

const kilobits = (bits: number) => `${Math.round(bits / 1000)} kbit/s`;

function number(report: Report | undefined, name: string): number {
  const value = report?.[name];
  return typeof value === 'number' ? value : 0;
}

function text(report: Report | undefined, name: string): string {
  const value = report?.[name];
  return typeof value === 'string' ? value : '';
}
