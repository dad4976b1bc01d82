import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { type Listener, listenAsGateway } from './listener.ts'

/** A request of doctor's as it arrived behind whatever stands in front. */
export interface Arrival {
  /** Who connected: the proxy, or we ourselves. */
  readonly peer: string
  readonly headers: IncomingHttpHeaders
}

/** Listens in the gateway's place for requests that carry a secret number. */
export interface Echo extends Listener {
  /** The query that makes a request ours; `large` asks for the largest headers that the gateway ever sends. */
  query(kind: 'plain' | 'large'): string
  /** The last request of ours that arrived. */
  arrival(): Arrival | undefined
  /** What a large answer carries when nothing is lost on the way. */
  readonly large: { readonly location: string; readonly cookies: readonly string[] }
}

const nonceBytes = 16
/** An end-session URL with the longest hint that is sent (4,096 bytes) and its other parameters, bytes. */
const locationBytes = 4_800
/** Transaction cookies may have 2,500 bytes in all, and the session cookie's clearing goes with them, bytes. */
const cookieBytes = [1_300, 1_300]

/**
 * Starts it. Whoever else comes is told to come again later; health checks too, so that a balancer sends nobody here.
 *
 * @param baseUrl the origin that the large answer's `location` leads back to
 */
export async function startEcho(
  place: { readonly host: string; readonly port: number },
  baseUrl: URL,
): Promise<Echo | undefined> {
  const nonce = randomBytes(nonceBytes).toString('hex')
  const large = largeHeaders(baseUrl)
  let arrived: Arrival | undefined
  const listener = await listenAsGateway(place, (request, response) => {
    const query = new URLSearchParams(request.url?.split('?')[1])
    if (!isSame(query.get('doctor') ?? '', nonce)) return sendAway(response)
    arrived = { peer: addressOf(request), headers: request.headers }
    if (query.has('large'))
      response.writeHead(303, { location: large.location, 'set-cookie': [...large.cookies] })
    else response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ doctor: nonce }))
  })
  if (listener === undefined) return undefined
  return {
    ...listener,
    query: (kind) => `?doctor=${nonce}${kind === 'large' ? '&large' : ''}`,
    arrival: () => arrived,
    large,
  }
}

function isSame(untrusted: string, nonce: string): boolean {
  return untrusted.length === nonce.length && timingSafeEqual(Buffer.from(untrusted), Buffer.from(nonce))
}

function sendAway(response: ServerResponse): void {
  response.writeHead(503, { 'retry-after': '5', 'cache-control': 'no-store' }).end()
}

/** IPv4 addresses look like IPv6 ones on a socket that takes both. */
function addressOf({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '')
}

function largeHeaders(baseUrl: URL): Echo['large'] {
  const filler = (bytes: number): string => 'x'.repeat(bytes)
  return {
    location: `${baseUrl.origin}/?${filler(locationBytes)}`,
    cookies: cookieBytes.map(
      (bytes, index) => `coatcheck-doctor-${index}=${filler(bytes)}; Path=/; Max-Age=0`,
    ),
  }
}
