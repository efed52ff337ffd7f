/** Waits for something that becomes true. */

/** Resolves with the first truthy value of `look`; after `within` ms fails with what was waited for and last seen. */
export async function until(what, look, within = 10_000) {
  const end = Date.now() + within;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`waited ${within} ms in vain: ${what}`);
    await sleep(50);
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A promise with its resolver, for events that must come. */
export function arrival(what, within = 10_000) {
  let arrived;
  const promise = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited ${within} ms in vain: ${what}`)), within);
    arrived = (value) => {
      clearTimeout(timer);
      resolve(value);
    };
  });
  // Somebody awaits it later; a rejection before that is not an unhandled one.
  promise.catch(() => {});
  return { promise, arrived };
}
