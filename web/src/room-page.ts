/**
 * What every room page does: a form to join, then the call.
 *
 * in:  how a call is made, the elements of the page
 * out: the page following its call; control of it for what a page has beside
 */

import type { CallEvents } from './call';
import { errorText } from './errors';
import type { Member } from './members';
import { demoToken } from './token';

/** A call as a page uses it, however its picture is made. */
export interface RoomCall {
  readonly roomTitle: string;
  layouts(): Promise<string[]>;
  setLayout(name: string): Promise<void>;
  setMicrophone(on: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  leave(): Promise<void>;
}

/** Makes a call whose picture is in `stage`. */
export type Join = (token: string, stage: HTMLElement, events: CallEvents) => Promise<RoomCall>;

export const element = <T extends HTMLElement>(id: string): T => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
};

const page = {
  alert: element('alert'),
  lobby: element('lobby'),
  form: element<HTMLFormElement>('join-form'),
  name: element<HTMLInputElement>('name'),
  room: element<HTMLInputElement>('room'),
  join: element<HTMLButtonElement>('join'),
  progress: element('progress'),
  call: element('call'),
  title: element('room-title'),
  connection: element('connection'),
  invite: element<HTMLButtonElement>('invite'),
  stage: element('stage'),
  count: element('member-count'),
  members: element<HTMLUListElement>('members'),
  microphone: element<HTMLButtonElement>('microphone'),
  camera: element<HTMLButtonElement>('camera'),
  layout: element<HTMLSelectElement>('layout'),
  leave: element<HTMLButtonElement>('leave'),
};

let call: RoomCall | undefined;
let join: Join;
let changed: () => void = () => undefined;

function tell(text: string): void {
  page.alert.textContent = text;
  page.alert.hidden = text === '';
}

/** Runs one action of the user; the control rests meanwhile and a failure is told. */
export async function act(control: HTMLButtonElement | HTMLSelectElement, action: () => Promise<void>): Promise<void> {
  control.disabled = true;
  tell('');
  try {
    await action();
  } catch (error) {
    tell(errorText(error));
  } finally {
    control.disabled = false;
  }
}

function showLobby(message = ''): void {
  call = undefined;
  changed();
  page.call.hidden = true;
  page.lobby.hidden = false;
  page.stage.replaceChildren();
  page.progress.textContent = message;
  document.title = 'Signalbox';
  page.join.focus();
}

function showCall(title: string): void {
  page.lobby.hidden = true;
  page.call.hidden = false;
  page.title.textContent = title;
  page.progress.textContent = '';
  document.title = `${title} · Signalbox`;
  page.microphone.focus();
}

function showMembers(members: Member[], self: string): void {
  page.count.textContent = `(${members.length})`;
  page.members.replaceChildren(...members.map((member) => memberItem(member, member.id === self)));
  const own = members.find((member) => member.id === self);
  if (own) showOwnState(own);
}

function memberItem(member: Member, isSelf: boolean): HTMLLIElement {
  const item = document.createElement('li');
  item.classList.toggle('talking', member.talking);
  const voice = document.createElement('span');
  voice.className = 'voice';
  voice.setAttribute('aria-hidden', 'true');
  const who = document.createElement('span');
  who.className = 'who';
  who.textContent = isSelf ? `${member.name} (you)` : member.name;
  const state = document.createElement('span');
  state.className = 'state';
  state.textContent = memberState(member);
  item.append(voice, who, state);
  return item;
}

function memberState(member: Member): string {
  if (member.audioMuted && member.videoMuted) return 'muted, camera off';
  if (member.audioMuted) return 'muted';
  if (member.videoMuted) return 'camera off';
  return member.talking ? 'talking' : '';
}

function showOwnState(own: Member): void {
  showSwitch(page.microphone, own.audioMuted, 'Mute microphone', 'Unmute microphone');
  showSwitch(page.camera, own.videoMuted, 'Stop camera', 'Start camera');
}

export function showSwitch(button: HTMLButtonElement, off: boolean, turnOff: string, turnOn: string): void {
  button.textContent = off ? turnOn : turnOff;
  button.setAttribute('aria-pressed', String(off));
}

export function isOff(button: HTMLButtonElement): boolean {
  return button.getAttribute('aria-pressed') === 'true';
}

/** Layouts come from the server; one that we do not know by list may be set by somebody else. */
function showLayout(name: string): void {
  if (![...page.layout.options].some((option) => option.value === name)) page.layout.add(new Option(name, name));
  page.layout.value = name;
}

async function fillLayouts(joined: RoomCall): Promise<void> {
  const current = page.layout.value;
  const layouts = await joined.layouts();
  page.layout.replaceChildren(...layouts.map((name) => new Option(name, name)));
  showLayout(current);
}

/** What a call tells; one that another has replaced tells nothing more. */
function eventsOf(isCurrent: () => boolean): CallEvents {
  const whileCurrent =
    <Parameters extends unknown[]>(show: (...parameters: Parameters) => void) =>
    (...parameters: Parameters) => {
      if (isCurrent()) show(...parameters);
    };
  return {
    members: whileCurrent(showMembers),
    layout: whileCurrent(showLayout),
    connection: whileCurrent((text: string) => {
      page.connection.textContent = text;
    }),
    ended: whileCurrent(showLobby),
  };
}

let calls = 0;

async function enter(room: string, name: string): Promise<void> {
  page.progress.textContent = 'Joining …';
  const number = (calls += 1);
  try {
    const token = await demoToken(room, name);
    call = await join(token, page.stage, eventsOf(() => number === calls));
    showCall(call.roomTitle);
    changed();
    history.replaceState(null, '', `?${new URLSearchParams({ room })}`);
  } catch (error) {
    showLobby();
    throw error;
  }
  await fillLayouts(call);
}

/** Makes the call anew in another way: the room and its layout stay as they are. */
export async function rejoin(other: Join): Promise<void> {
  const [before, layout, wasAlone] = [call, page.layout.value, page.members.children.length <= 1];
  join = other;
  if (!before) return;
  calls += 1; // its goodbye is not the end
  await before.leave();
  page.stage.replaceChildren();
  await enter(page.room.value.trim(), page.name.value.trim());
  // Whoever was alone has left a room that ended, and begun the next. With others there the layout is theirs too, and may
  // have changed meanwhile.
  if (wasAlone && page.layout.value !== layout) await call?.setLayout(layout);
}

page.form.addEventListener('submit', (event) => {
  event.preventDefault();
  void act(page.join, () => enter(page.room.value.trim(), page.name.value.trim()));
});
page.microphone.addEventListener('click', () => {
  void act(page.microphone, async () => call?.setMicrophone(isOff(page.microphone)));
});
page.camera.addEventListener('click', () => {
  void act(page.camera, async () => call?.setCamera(isOff(page.camera)));
});
page.layout.addEventListener('change', () => {
  void act(page.layout, async () => call?.setLayout(page.layout.value));
});
page.leave.addEventListener('click', () => {
  void act(page.leave, async () => call?.leave());
});
page.invite.addEventListener('click', () => {
  void act(page.invite, async () => {
    await navigator.clipboard.writeText(`${location.origin}${location.pathname}?${new URLSearchParams({ room: page.room.value.trim() })}`);
    page.invite.textContent = 'Copied';
    setTimeout(() => (page.invite.textContent = 'Copy invitation'), 2000);
  });
});

// Nobody waits for a picture of somebody who closed the tab; the server would find out only after a while.
addEventListener('pagehide', () => void call?.leave().catch(() => undefined));

/** Begins: `first` makes the call; `onChange` is told whenever there is one, and when there is none any more. */
export function start(first: Join, onChange: () => void = () => undefined): void {
  join = first;
  changed = onChange;
  const asked = new URLSearchParams(location.search);
  page.room.value = asked.get('room') ?? '';
  page.name.value = asked.get('name') ?? '';
  (page.name.value ? (page.room.value ? page.join : page.room) : page.name).focus();
}
