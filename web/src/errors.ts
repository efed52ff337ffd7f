/** What to tell somebody when something failed. */

export function errorText(error: unknown): string {
  if (error instanceof DOMException) return deviceText(error);
  if (error instanceof Error && error.message) return error.message;
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  if (String(code) === '403') return 'You are not allowed to do that in this room.';
  if (typeof message === 'string' && message) return message;
  return 'Something went wrong. Please try again.';
}

function deviceText(error: DOMException): string {
  switch (error.name) {
    case 'NotAllowedError':
      return 'The browser was not allowed to use camera and microphone. Allow it for this page and join again.';
    case 'NotReadableError':
      return 'Camera or microphone is in use by another program.';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'No fitting camera or microphone was found.';
    default:
      return `Camera or microphone failed: ${error.message}`;
  }
}
