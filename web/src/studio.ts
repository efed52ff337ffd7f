/** What the pages for WHIP and WHEP share: a form that starts and stops one call. */

import { errorText } from './errors';
import type { HttpCall } from './http-call';

export const element = <T extends HTMLElement>(id: string): T => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
};

export interface Studio {
  /** Makes the call; `ended` is told when somebody else ends it. */
  open(ended: (why: string) => void): Promise<HttpCall>;
  /** Shown while it lasts. */
  running: string;
  /** Nothing is left of it. */
  closed(): void;
}

/** Fills the form from the address, then follows its buttons. */
export function run(studio: Studio): void {
  const alert = element('alert');
  const form = element<HTMLFormElement>('form');
  const start = element<HTMLButtonElement>('start');
  const stop = element<HTMLButtonElement>('stop');
  const progress = element('progress');
  const fields = [...form.querySelectorAll('input')];
  let call: HttpCall | undefined;

  const show = (isRunning: boolean, text: string): void => {
    start.hidden = isRunning;
    stop.hidden = !isRunning;
    for (const field of fields) field.disabled = isRunning;
    progress.textContent = text;
  };
  const finish = (why: string): void => {
    call?.close();
    call = undefined;
    studio.closed();
    show(false, why);
  };

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    alert.hidden = true;
    start.disabled = true;
    progress.textContent = 'Connecting …';
    studio
      .open(finish)
      .then((opened) => {
        call = opened;
        show(true, studio.running);
      })
      .catch((error: unknown) => {
        finish('');
        alert.textContent = errorText(error);
        alert.hidden = false;
      })
      .finally(() => (start.disabled = false));
  });
  stop.addEventListener('click', () => finish('Stopped.'));
  addEventListener('pagehide', () => call?.close());

  const asked = new URLSearchParams(location.search);
  for (const field of fields) field.value = asked.get(field.name) ?? field.value;
  (fields.find((field) => field.required && !field.value) ?? start).focus();
}

/** Keeps a link on the room that the form names. */
export function follow(link: HTMLAnchorElement, room: HTMLInputElement): void {
  const path = link.pathname;
  const update = (): void => {
    link.href = room.value ? `${path}?${new URLSearchParams({ room: room.value })}` : path;
  };
  room.addEventListener('input', update);
  update();
}
