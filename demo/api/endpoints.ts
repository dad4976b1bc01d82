import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerJson } from './answers.ts'
import type { Caller } from './caller.ts'
import { useCopy } from './copy.ts'

/** One operation of the API. */
export interface Endpoint {
  /** What the caller needs; nothing but being signed in when absent. */
  readonly permission?: string
  answer(caller: Caller, request: IncomingMessage, response: ServerResponse): void | Promise<void>
}

/** The operations, by method and path. */
export const endpoints: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ['GET /me', { answer: describeCaller }],
  ['GET /coats', { permission: 'read:coats', answer: listOwnCoats }],
  ['GET /inventory', { permission: 'read:inventory', answer: listInventory }],
  ['GET /bell', { answer: ringBell }],
  ['GET /copy', { answer: useCopy }],
])

interface Coat {
  readonly hook: number
  readonly owner: string
  readonly coat: string
}

const coats: readonly Coat[] = [
  { hook: 12, owner: 'demo|ada', coat: 'Camel overcoat' },
  { hook: 27, owner: 'demo|ben', coat: 'Yellow raincoat' },
  { hook: 28, owner: 'demo|ben', coat: 'Umbrella, black' },
  { hook: 41, owner: 'demo|cleo', coat: 'Velvet cape' },
]

/** Says what arrived, so that it can be compared with what the page could see. The token itself is never sent back. */
function describeCaller(caller: Caller, request: IncomingMessage, response: ServerResponse): void {
  const { authorization = '', cookie } = request.headers
  const [scheme, token = ''] = authorization.split(' ')
  answerJson(response, {
    user: caller.subject,
    permissions: caller.permissions,
    received: {
      authorization: `${scheme}, a JWT of ${token.length} characters`,
      proof: caller.isProven ? 'that the sender has its key' : 'none',
      cookie: cookie === undefined ? 'none' : 'some',
    },
    verified: {
      signature: caller.algorithm,
      issuer: caller.issuer,
      audience: caller.audience,
      issuedAt: new Date(caller.issuedAtMs).toISOString(),
      expiresAt: new Date(caller.expiresAtMs).toISOString(),
    },
  })
}

function listOwnCoats(caller: Caller, _request: IncomingMessage, response: ServerResponse): void {
  const own = coats.filter(({ owner }) => owner === caller.subject)
  answerJson(response, { coats: own.map(({ hook, coat }) => ({ hook, coat })) })
}

function listInventory(_caller: Caller, _request: IncomingMessage, response: ServerResponse): void {
  answerJson(response, { hooks: 60, taken: coats.length, coats })
}

/** Fast enough to see that it lives, slow enough to read. */
const bellIntervalMs = 2_000

const bellTexts = ['A coat came in', 'A ticket was called', 'A coat went home', 'A hook is free']

/** Server-sent events, until somebody hangs up: the page, or the gateway when the session ends. */
function ringBell(_caller: Caller, _request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  let count = 0
  const ring = (): void => {
    const text = bellTexts[count % bellTexts.length]
    count += 1
    response.write(`id: ${count}\ndata: ${JSON.stringify({ text, atMs: Date.now() })}\n\n`)
  }
  ring()
  const timer = setInterval(ring, bellIntervalMs)
  response.once('close', () => clearInterval(timer))
}
