/**
 * The WebSocket of one session, which outlives it: a lost socket is opened again and the session goes on.
 *
 * in:  requests of this client; frames of the server
 * out: replies, events, and word of the socket coming and going
 *
 * A session is named by `protocol`. The server keeps it for 60 s without a socket, with what it would have told.
 */

import { Emitter } from './events';
import { RequestError, type ConnectResult, type EventFrame } from './wire';

/** The server pings every 10 s: longer silence than this is a dead socket. */
const SILENT_MS = 25_000;
/** A reply takes at most 8 s on the side of the server. */
const REPLY_MS = 10_000;
/** The server forgets the session after 60 s. */
const GIVE_UP_MS = 60_000;
/** Between two attempts, growing; each is drawn by chance so that a room does not come back in one moment. */
const BACK_OFF_MS = [250, 4000] as const;

export type ConnectionEvents = {
  /** There is a socket; `again` when the session has had one before. */
  up: [result: ConnectResult, again: boolean];
  /** The socket is lost; another one is being opened. */
  down: [];
  /** It is over: nobody opens another. */
  over: [reason: string];
  event: [frame: EventFrame];
};

interface Waiting {
  resolve(result: unknown): void;
  reject(error: unknown): void;
  timer: ReturnType<typeof setTimeout>;
}

interface Frame {
  id?: string;
  method?: string;
  params?: unknown;
  result?: Record<string, unknown>;
  error?: { code: number; message: string };
}

export class Connection extends Emitter<ConnectionEvents> {
  private socket: WebSocket | undefined;
  private isUp = false;
  private isOver = false;
  private protocol: string | undefined;
  private authorizationState: string | undefined;
  private readonly waiting = new Map<string, Waiting>();
  private silence: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private lostAt = 0;
  private attempts = 0;
  private lastId = 0;

  constructor(
    private readonly host: string,
    private readonly token: string,
  ) {
    super();
  }

  /** Resolves with the session once the server has taken the token. */
  open(): Promise<ConnectResult> {
    return new Promise((resolve, reject) => {
      const stop = [
        this.on('up', (result) => (stop.forEach((f) => f()), resolve(result))),
        this.on('over', (reason) => (stop.forEach((f) => f()), reject(new Error(reason)))),
      ];
      this.lostAt = Date.now();
      this.dial();
    });
  }

  /** Sends a request and resolves with what is inside its result; rejects with a `RequestError` when it is refused. */
  async request(method: string, params: object): Promise<Record<string, unknown>> {
    if (!this.isUp) throw new RequestError('0', 'The connection to the server is lost.');
    return unwrap((await this.ask(method, params)) as Record<string, unknown>);
  }

  /** Whether a request can be made now. */
  hasSocket(): boolean {
    return this.isUp;
  }

  /** Closes for good. */
  close(reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.retry);
    this.drop();
    this.emit('over', reason);
  }

  private dial(): void {
    if (this.isOver) return;
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.host);
    } catch (error) {
      return this.close(error instanceof Error ? error.message : String(error));
    }
    this.socket = socket;
    socket.onopen = () => void this.introduce(socket);
    socket.onmessage = ({ data }) => this.socket === socket && this.onText(String(data));
    socket.onclose = () => this.socket === socket && this.onLost();
    this.listen();
  }

  /** `signalwire.connect`, the first frame of every socket. */
  private async introduce(socket: WebSocket): Promise<void> {
    const again = this.protocol !== undefined;
    try {
      const result = (await this.ask('signalwire.connect', {
        version: { major: 3, minor: 0, revision: 0 },
        event_acks: true,
        agent: 'signalbox-tile-client',
        authentication: { jwt_token: this.token },
        protocol: this.protocol,
        authorization_state: this.protocol && this.authorizationState,
      })) as ConnectResult;
      if (this.socket !== socket) return;
      this.protocol = result.protocol;
      this.attempts = 0;
      this.isUp = true;
      this.emit('up', result, again);
    } catch (error) {
      // A refusal is final; a socket that fell meanwhile has its own way back.
      if (error instanceof RequestError && error.code !== '0') this.close(error.message);
    }
  }

  private ask(method: string, params: object): Promise<unknown> {
    const id = `c${(this.lastId += 1)}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new RequestError('0', `The server did not answer ${method}.`));
        this.onLost();
      }, REPLY_MS);
      this.waiting.set(id, { resolve, reject, timer });
      this.send({ jsonrpc: '2.0', id, method, params });
    });
  }

  private send(frame: object): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(frame));
  }

  private onText(text: string): void {
    this.listen();
    const frame = JSON.parse(text) as Frame;
    if (frame.method === undefined) return this.onReply(frame);
    this.send({ jsonrpc: '2.0', id: frame.id, result: frame.method === 'signalwire.ping' ? frame.params : {} });
    if (frame.method !== 'signalwire.event') return;
    const event = frame.params as EventFrame;
    if (event.event_type === 'signalwire.authorization.state') {
      this.authorizationState = String(event.params['authorization_state']);
    } else {
      this.emit('event', event);
    }
  }

  private onReply(frame: Frame): void {
    const waiting = this.waiting.get(frame.id ?? '');
    if (!waiting) return;
    this.waiting.delete(frame.id ?? '');
    clearTimeout(waiting.timer);
    if (frame.error) waiting.reject(new RequestError(String(frame.error.code), frame.error.message));
    else waiting.resolve(frame.result ?? {});
  }

  private listen(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.onLost(), SILENT_MS);
  }

  private drop(): void {
    const { socket } = this;
    this.socket = undefined;
    this.isUp = false;
    clearTimeout(this.silence);
    socket?.close();
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(new RequestError('0', 'The connection to the server was lost.'));
    }
    this.waiting.clear();
  }

  private onLost(): void {
    if (this.isOver || !this.socket) return;
    const wasUp = this.isUp;
    this.drop();
    if (wasUp) {
      this.lostAt = Date.now();
      this.emit('down');
    }
    if (Date.now() - this.lostAt > GIVE_UP_MS) return this.close('The connection to the server was lost.');
    const longest = Math.min(BACK_OFF_MS[1], BACK_OFF_MS[0] * 2 ** this.attempts);
    this.attempts += 1;
    this.retry = setTimeout(() => this.dial(), longest * (0.5 + Math.random() / 2));
  }
}

/** Replies wrap once or twice: a code of their own, and for calls a whole reply inside. */
function unwrap(result: Record<string, unknown>): Record<string, unknown> {
  const { code, message } = result;
  if (code !== undefined && !String(code).startsWith('2')) throw new RequestError(String(code), String(message ?? code));
  const inner = result['result'] as Record<string, unknown> | undefined;
  if (inner === undefined) return result;
  if (inner['jsonrpc'] === undefined) return inner;
  const error = inner['error'] as { code: number; message: string; data?: { reason?: string } } | undefined;
  if (error) throw new RequestError(String(error.code), error.data?.reason ?? error.message);
  return unwrap((inner['result'] ?? {}) as Record<string, unknown>);
}
