import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerJson } from './answers.ts'
import type { Caller } from './caller.ts'

/**
 * Does what a thief would who found this request in the log: asks the API with a copy of the token alone, and with a copy of its proof. The
 * page learns what became of it, and nothing of the token.
 */
export async function useCopy(
  _caller: Caller,
  { headers, socket }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = `http://127.0.0.1:${socket.localPort}/me`
  const token = headers.authorization?.split(' ')[1] ?? ''
  const proof = String(headers.dpop ?? '')
  answerJson(response, {
    tries: [
      await attempt(url, 'the token alone', { authorization: `Bearer ${token}` }),
      await attempt(url, 'the token and its proof', { authorization: `DPoP ${token}`, dpop: proof }),
    ],
  })
}

async function attempt(url: string, copied: string, headers: Record<string, string>) {
  const answer = await fetch(url, { headers })
  const { user, detail } = (await answer.json()) as { readonly user?: string; readonly detail?: string }
  return { copied, status: answer.status, detail: detail ?? `Good for ${user}, whoever sends it.` }
}
