/**
 * WHIP (RFC 9725) and WHEP from a page: an offer by POST, the answer back, ICE restarts by PATCH, the end by DELETE.
 *
 * The server is an ICE-lite agent and waits for our checks: it needs none of our candidates, so the offer goes at once.
 */

/** How long a connection may be away before it is tried again by other credentials. */
const AWAY_MS = 3000;

export class HttpCall {
  private away: ReturnType<typeof setTimeout> | undefined;
  private restarting = false;
  private over = false;

  private constructor(
    private readonly peer: RTCPeerConnection,
    private readonly url: string,
    private readonly ended: (why: string) => void,
  ) {
    peer.addEventListener('connectionstatechange', () => this.follow());
  }

  /** Resolves once the server has answered; `ended` is told when the call ends and nobody here wanted it. */
  static async open(
    endpoint: string,
    token: string,
    peer: RTCPeerConnection,
    ended: (why: string) => void,
  ): Promise<HttpCall> {
    await peer.setLocalDescription();
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' },
      body: peer.localDescription?.sdp ?? '',
    });
    if (!response.ok) throw new Error(await refusal(response));
    const url = new URL(response.headers.get('location') ?? '', response.url).href;
    const call = new HttpCall(peer, url, ended);
    try {
      await peer.setRemoteDescription({ type: 'answer', sdp: await response.text() });
    } catch (error) {
      call.close();
      throw error;
    }
    return call;
  }

  /** Ends it. The request outlives the page. */
  close(): void {
    if (this.over) return;
    this.finish();
    void fetch(this.url, { method: 'DELETE', keepalive: true }).catch(() => undefined);
  }

  /** New credentials on both sides, for a connection whose path is gone. */
  async restart(): Promise<void> {
    const answer = this.peer.remoteDescription?.sdp;
    if (this.restarting || this.over || !answer) return;
    this.restarting = true;
    try {
      await this.peer.setLocalDescription(await this.peer.createOffer({ iceRestart: true }));
      const response = await fetch(this.url, {
        method: 'PATCH',
        headers: { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '*' },
        body: fragment(this.peer.localDescription?.sdp ?? ''),
      });
      if (response.status === 404) return this.end('The call has ended.');
      if (!response.ok) throw new Error(await refusal(response));
      await this.peer.setRemoteDescription({ type: 'answer', sdp: renewed(answer, await response.text()) });
    } finally {
      this.restarting = false;
    }
  }

  private follow(): void {
    clearTimeout(this.away);
    switch (this.peer.connectionState) {
      case 'disconnected':
      case 'failed':
        this.away = setTimeout(() => void this.tryAgain(), AWAY_MS);
        break;
      case 'closed':
        this.end('The call has ended.');
        break;
    }
  }

  private async tryAgain(): Promise<void> {
    try {
      await this.restart();
    } catch {
      this.follow();
    }
  }

  private end(why: string): void {
    if (this.over) return;
    this.finish();
    this.ended(why);
  }

  private finish(): void {
    this.over = true;
    clearTimeout(this.away);
    this.peer.close();
  }
}

/** What the server says was wrong. */
async function refusal(response: Response): Promise<string> {
  try {
    const { message } = (await response.json()) as { message?: string };
    if (message) return `The server refused: ${message}.`;
  } catch {
    // A proxy in between may answer with anything.
  }
  return `The server refused (${response.status}).`;
}

/** The ICE of an offer: the session's group, and the first section, which speaks for the bundle. */
function fragment(offer: string): string {
  const [session = '', first = ''] = offer.split(/^(?=m=)/m);
  const lines = [...session.split('\r\n').filter((line) => line.startsWith('a=group:')), ...first.split('\r\n')];
  const wanted = /^(a=group:|m=|a=mid:|a=ice-ufrag:|a=ice-pwd:|a=candidate:|a=end-of-candidates)/;
  return lines.filter((line) => wanted.test(line)).map((line) => `${line}\r\n`).join('');
}

/** The answer as it was, with the credentials of a fragment. */
function renewed(answer: string, of: string): string {
  return ['a=ice-ufrag:', 'a=ice-pwd:'].reduce((sdp, name) => {
    const line = of.split('\r\n').find((candidate) => candidate.startsWith(name));
    return line ? sdp.replace(new RegExp(`^${name}.*$`, 'gm'), line) : sdp;
  }, answer);
}
