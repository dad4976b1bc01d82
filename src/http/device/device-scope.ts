import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { textOf } from '../../basics/text.ts'
import type { ErrorCode } from '../../errors/codes.ts'
import { GatewayError } from '../../errors/gateway-error.ts'
import { hasKey, isOpenToDevice, withDevice } from '../../session/device/registration.ts'
import type { OpenSession } from '../../session/lifecycle/sessions.ts'
import { isListedSessionId, listedSessionId } from '../../session/record/keys.ts'
import { verifyRegistration, verifyRenewal } from '../../signing/device-proof.ts'
import { toGatewayError } from '../answers/error-handler.ts'
import { forbidStoring } from '../answers/no-store.ts'
import { expectSmallBody } from '../lifetime/body.ts'
import type { HttpContext } from '../server/http-context.ts'
import { refuseOtherMethods } from '../server/method-guards.ts'
import type { DeviceBinding } from './device-binding.ts'

/** Browsers send no body here, bytes. */
const maxBodyBytes = 1_024

/**
 * The endpoints with which a browser binds a session to its device, and renews the proof (DESIGN-2 section 9). The browser calls them by
 * itself: no page's script can, and no header of the CSRF guard comes with it. It gives the binding up on 4xx and keeps it on 5xx, so
 * that whatever is our own fault, limits included, is 503 here.
 */
export function registerDeviceScope(app: FastifyInstance, context: HttpContext): void {
  const { device: binding } = context
  if (binding === undefined) return
  for (const path of [context.paths.device, context.paths.deviceRefresh])
    refuseOtherMethods(app, path, ['POST'])
  app.register(async function deviceScope(scope) {
    scope.addHook('preParsing', expectSmallBody)
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBodyBytes }, (_request, body, done) =>
      done(null, body),
    )
    scope.addHook('onRequest', forbidStoring)
    scope.setErrorHandler((thrown) => {
      throw keepingBinding(toGatewayError(thrown))
    })
    scope.post(context.paths.device, createRegistration(context, binding))
    scope.post(context.paths.deviceRefresh, createRenewal(context, binding))
  })
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>

/** What says nothing of a device, and yet is 4xx elsewhere: limits, and what a server on the way may do to a request without a body. */
const limits: ReadonlySet<ErrorCode> = new Set([
  'rate_limited',
  'payload_too_large',
  'unsupported_media_type',
  'request_timeout',
])

/** Turns a limit, which would make the browser give up the binding, into 503. Every other fault of ours is one already. */
function keepingBinding(error: GatewayError): GatewayError {
  if (!limits.has(error.code)) return error
  return new GatewayError('overloaded', {
    cause: error,
    context: { ...error.context, reason: error.code },
  })
}

/** The live session of the long cookie. @throws GatewayError `session_missing`, `session_expired`, `session_store_unavailable` */
async function openSession(context: HttpContext, request: FastifyRequest): Promise<OpenSession> {
  const { cookies, limits, sessions } = context
  const id = cookies.readSession(request.headers.cookie)
  if (id === undefined) {
    const why = cookies.explainMissing(request.headers.cookie)
    throw limits.countMiss(request) ?? new GatewayError('session_missing', why)
  }
  limits.admitLookup(request, id)
  const session = await sessions.open(id)
  if (session === undefined) throw limits.countMiss(request) ?? new GatewayError('session_expired')
  limits.noteLive(session.view.h)
  request.caller = session.view
  return session
}

function createRegistration(context: HttpContext, binding: DeviceBinding): Handler {
  const origin = context.options.baseUrl.origin
  return async function registerDevice(request, reply) {
    const untrustedOrigin = request.headers.origin
    if (untrustedOrigin !== undefined && untrustedOrigin !== origin) throw new GatewayError('csrf_rejected')
    const session = await openSession(context, request)
    const { h, device } = session.view
    if (!isOpenToDevice(device, binding.now())) throw refused(context, request, session, 'bound_already')
    const proof = verifyRegistration(headerOf(request, 'secure-session-response'))
    const challenge = proof === undefined ? undefined : binding.challenges.read(proof.untrustedChallenge, h)
    if (proof === undefined || challenge === undefined)
      throw refused(context, request, session, 'registration')
    // Before anything is bound: with a binding whose answer was a fault of ours the browser would have no key, and get no other chance.
    if (!(await context.store.markDevice(h, challenge, binding.lifetimeSeconds * 1_000)))
      throw refused(context, request, session, 'challenge')
    const bound = await context.accessTokens.update(session, (record) =>
      withDevice(record, proof.publicJwk, binding.now()),
    )
    if (!hasKey(bound.record.device, proof.publicJwk))
      throw refused(context, request, session, 'bound_already')
    const { sessionRef, userRef } = session.view
    context.telemetry.audit.event('device.bound', { requestId: request.id, sessionRef, userRef })
    const knownAs = listedSessionId(context.sealer, h)
    return answerBound(context, binding, { session: bound, knownAs, publicJwk: proof.publicJwk }, reply)
  }
}

function createRenewal(context: HttpContext, binding: DeviceBinding): Handler {
  return async function renewDevice(request, reply) {
    const session = await openSession(context, request)
    const { view } = session
    const publicJwk = view.device?.publicJwk
    const untrustedId = unquoted(headerOf(request, 'sec-secure-session-id') ?? '')
    if (publicJwk === undefined || !isListedSessionId(context.sealer, view.h, untrustedId)) {
      throw new GatewayError('not_found')
    }
    const renewed = { session, knownAs: untrustedId, publicJwk }
    const untrustedProof = headerOf(request, 'secure-session-response')
    if (untrustedProof === undefined) return challengeAgain(binding, renewed, reply)
    const proof = verifyRenewal(untrustedProof, publicJwk)
    const challenge =
      proof === undefined ? undefined : binding.challenges.read(proof.untrustedChallenge, view.h)
    const isGood =
      challenge !== undefined &&
      (await context.store.markDevice(view.h, challenge, binding.lifetimeSeconds * 1_000))
    if (isGood) return answerBound(context, binding, renewed, reply)
    reportFailure(context, request, session, proof === undefined ? 'signature' : 'challenge')
    return challengeAgain(binding, renewed, reply)
  }
}

/** A session with the key that it is bound to. */
interface BoundSession {
  readonly session: OpenSession
  readonly publicJwk: Readonly<Record<string, unknown>>
  /**
   * The session's public id as the browser has it, which after a rotation of `SESSION_SECRET` is that of an older secret: a browser that is
   * answered with another one gives the binding up.
   */
  readonly knownAs: string
}

/** 403 with a challenge is how the browser is asked to sign; it does not give the binding up for it. */
function challengeAgain(
  { challenges }: DeviceBinding,
  { session, knownAs }: BoundSession,
  reply: FastifyReply,
): FastifyReply {
  const challenge = `"${challenges.make(session.view.h)}";id="${knownAs}"`
  return reply.code(403).header('secure-session-challenge', challenge).send()
}

function answerBound(
  { cookies }: HttpContext,
  binding: DeviceBinding,
  { session, publicJwk, knownAs }: BoundSession,
  reply: FastifyReply,
): FastifyReply {
  const endsAtSeconds = Math.floor(binding.now() / 1_000) + binding.lifetimeSeconds
  const value = binding.values.make({ h: session.view.h, publicJwk }, endsAtSeconds)
  return reply
    .header('set-cookie', cookies.setDevice(value, binding.lifetimeSeconds))
    .type('application/json; charset=utf-8')
    .send(binding.instructions(knownAs))
}

function refused(
  context: HttpContext,
  request: FastifyRequest,
  session: OpenSession,
  reason: string,
): GatewayError {
  reportFailure(context, request, session, reason)
  return new GatewayError('request_invalid', {
    detail: 'This does not prove a device that this session can be bound to.',
  })
}

function reportFailure(
  { telemetry }: HttpContext,
  request: FastifyRequest,
  { view: { sessionRef, userRef } }: OpenSession,
  reason: string,
): void {
  telemetry.audit.event('device.proof_failed', { requestId: request.id, sessionRef, userRef, reason })
}

/** Browsers of different ages send a text as it is, or in quotes (RFC 8941 section 3.3.3). */
function unquoted(untrusted: string): string {
  return untrusted.replace(/^"(.*)"$/, '$1')
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  return textOf(request.headers[name])
}
