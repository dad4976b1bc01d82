import type { IncomingMessage } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import type { Admission } from '../../access/admission.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import type { UpgradeSocket } from '../../http/lifetime/upgrade.ts'
import { readStart } from '../../network/answer-start.ts'
import { lookupTogether } from '../../network/lookups.ts'
import { TunnelAgent } from '../../network/tunnel.ts'
import type { ExchangeContext, ExchangeRequest } from '../exchange/exchange-context.ts'
import { isProved, type PossessionContext, proofOf } from '../exchange/possession.ts'
import type { ResponseHead } from '../headers/response-headers.ts'
import { judgeRefusal, type RefusalContext } from '../headers/step-up.ts'
import type { ProxyRoute } from '../routes/proxy-route.ts'
import { tlsOptions, tlsWith } from '../upstream/connector.ts'
import { freshHeaders } from '../upstream/upstream-request.ts'

/** A handshake that was let in. */
export interface Handshake extends ExchangeRequest {
  readonly upgrade: UpgradeSocket
}

/**
 * Begins the handshake with the upstream: the token attached, the gateway's cookie not, nothing compressed.
 *
 * @throws GatewayError `request_invalid` when the browser's subprotocols are malformed
 */
export function connectUpstream(
  context: PossessionContext & Pick<ExchangeContext, 'route' | 'certificates'>,
  { request, admission }: Pick<Handshake, 'request' | 'admission'>,
  demandedNonce: string | undefined,
): WebSocket {
  const { route } = context
  const { raw } = request
  const proof = proofOf(context, { request, admission }, admission.token, demandedNonce)
  const certificate = context.certificates?.certificateFor(admission.session, admission.token)
  const headers = toRecord(
    route.handshakeHeaders(
      raw.rawHeaders,
      raw.headers.connection,
      freshHeaders(request, admission.token, admission.identityHeaders, proof),
    ),
  )
  try {
    return new WebSocket(route.config.upstream.origin, subprotocols(raw), {
      ...tlsOptions(tlsWith(route.config.tls, certificate)),
      headers,
      lookup: lookupTogether,
      perMessageDeflate: false,
      ...tunnelOf(route),
      followRedirects: false,
      autoPong: false,
      maxPayload: route.config.websocketMaxMessageBytes,
      finishRequest: (handshake) => {
        // The target as it was judged: a URL would be normalised on the way.
        handshake.path = admission.target
        handshake.end()
      },
    })
  } catch (cause) {
    throw new GatewayError('request_invalid', { detail: 'The WebSocket subprotocols are malformed.', cause })
  }
}

/** A proxy on the way, where the settings want one. */
function tunnelOf({ outboundProxy, config }: ProxyRoute): { readonly agent?: TunnelAgent } {
  if (outboundProxy === undefined) return {}
  const way = { proxy: outboundProxy, timeoutMs: config.connectTimeoutMs, ca: config.tls?.caPem }
  return { agent: new TunnelAgent(way) }
}

function subprotocols({ headers }: IncomingMessage): string[] {
  const offered = headers['sec-websocket-protocol']
  return offered === undefined ? [] : offered.split(',').map((name) => name.trim())
}

/** Flat list to record, which is what `ws` takes; repeated names keep all their values. */
function toRecord(flat: readonly string[]): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.create(null)
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = (flat[at] ?? '').toLowerCase()
    const value = flat[at + 1] ?? ''
    const earlier = record[name]
    record[name] = earlier === undefined ? value : [earlier, value].flat()
  }
  return record
}

/** An upstream's answer that refuses the handshake, ready for the browser. */
export interface Refusal {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: Buffer
}

/** More of a refusal's body is cut off; it explains an error to a person, bytes. */
const refusalBodyBytes = 64 * 1024

/**
 * Whether an upstream refuses a handshake only because the proof in it lacks its newest nonce.
 */
export function asksForNonce(
  { statusCode, rawHeaders }: IncomingMessage,
  context: RefusalContext,
  { session, token }: Pick<Admission, 'session' | 'token'>,
): boolean {
  return (
    statusCode === 401 &&
    isProved(session) &&
    judgeRefusal(buffersOf(rawHeaders), context, session, token) === 'nonce'
  )
}

function buffersOf(rawHeaders: readonly string[]): readonly Buffer[] {
  return rawHeaders.map((text) => Buffer.from(text, 'latin1'))
}

/**
 * Reads an upstream's refusal, under the same policy as any answer.
 *
 * @throws GatewayError `step_up_required`, `upstream_redirect_refused`, `upstream_unreachable`
 */
export async function readRefusal(
  answer: IncomingMessage,
  route: ProxyRoute,
  { target, session, token }: Pick<Admission, 'target' | 'session' | 'token'>,
  context: RefusalContext,
): Promise<Refusal> {
  const rawHeaders = buffersOf(answer.rawHeaders)
  const status = answer.statusCode ?? 502
  // A 101 that agrees to nothing: passed on, it would open a tunnel in proxies in front.
  if (status < 200) throw new GatewayError('upstream_unreachable', { context: { reason: 'unasked 101' } })
  const judgement = status === 401 ? judgeRefusal(rawHeaders, context, session, token) : 'final'
  if (judgement instanceof GatewayError) throw judgement
  const head = route.responseHeaders(status, rawHeaders, target)
  if (head.refusal !== undefined) throw new GatewayError(head.refusal)
  const body = await readStart(answer, refusalBodyBytes)
  return { status, headers: [...withoutLength(head), 'content-length', String(body.length)], body }
}

function withoutLength({ headers }: ResponseHead): string[] {
  const kept: string[] = []
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? ''
    if (name.toLowerCase() !== 'content-length') kept.push(name, headers[at + 1] ?? '')
  }
  return kept
}

/** Makes the browsers' ends of WebSockets. */
export function createBrowserEnds(route: ProxyRoute): WebSocketServer {
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: route.config.websocketMaxMessageBytes,
  })
}
