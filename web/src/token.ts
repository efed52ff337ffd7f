/** Room tokens for visitors of this page, made by the server in its demo mode. */

export async function demoToken(room: string, name: string): Promise<string> {
  const response = await fetch('/demo/tokens', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ room, name }),
  });
  if (response.status === 404) throw new Error('This server gives out no demo tokens.');
  if (!response.ok) throw new Error((await refusal(response)) ?? `The server gave no token (${response.status}).`);
  const { token } = (await response.json()) as { token: string };
  return token;
}

async function refusal(response: Response): Promise<string | undefined> {
  try {
    const body = (await response.json()) as { errors?: { message?: string }[] };
    return body.errors?.[0]?.message;
  } catch {
    return undefined;
  }
}
