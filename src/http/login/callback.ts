import type { FastifyReply, FastifyRequest } from 'fastify'
import { GatewayError } from '../../errors/gateway-error.ts'
import { isUnasked, wordsOf } from '../../oidc/login/authorization-response.ts'
import { factsIn } from '../../oidc/provider/failures/refusal.ts'
import type { LoginTransaction } from '../../oidc/provider/provider.ts'
import { attachPendingLogin, openSessionOf } from '../../session/lifecycle/fastify-store.ts'
import type { OpenSession } from '../../session/lifecycle/sessions.ts'
import { hashSessionId } from '../../session/record/keys.ts'
import { browserFamily } from '../account/browser-family.ts'
import { toGatewayError } from '../answers/error-handler.ts'
import { type FoundTransaction, findTransactions } from '../cookies/transaction-cookies.ts'
import type { HttpContext } from '../server/http-context.ts'
import { queryOf, readQuery } from '../server/query.ts'

/** A code, a state and an issuer; some providers' codes are long, bytes. */
export const maxCallbackAnswerBytes = 8 * 1_024

/**
 * `/callback`: completes a login (DESIGN section 3.1 has the order). Nothing is asked of the provider or the store unless this browser
 * holds the transaction that `state` names; from then on its cookie is removed whatever happens, a store outage included: a second attempt
 * begins at `/login`, where the provider usually answers without asking again.
 */
export function createCallback(context: HttpContext) {
  const { cookies, limits, telemetry } = context

  async function callback(
    request: FastifyRequest,
    reply: FastifyReply,
    untrustedAnswer: string,
  ): Promise<FastifyReply> {
    const { cookieName, transaction } = await findByState(context, request, untrustedAnswer)
    reply.header('set-cookie', cookies.clearTransaction(cookieName))
    expectMode(context, request)
    const session = await complete(context, request, { untrustedAnswer, transaction }).catch(
      (error: unknown) => {
        if (isSilentlyDenied(transaction, error)) return undefined
        throw error
      },
    )
    if (session === undefined) {
      telemetry.metrics.callback('unasked')
      return reply.redirect(transaction.returnTo, 303)
    }
    // Its first call may come while somebody at the same address invents sessions.
    limits.noteLive(session.view.h)
    await endFormerSessions(context, request, transaction)
    telemetry.metrics.callback('completed')
    const { sessionRef, userRef } = session.view
    telemetry.audit.event('login.completed', { requestId: request.id, sessionRef, userRef })
    return reply.header('set-cookie', cookies.setSession(session.id)).redirect(transaction.returnTo, 303)
  }

  return async function countedCallback(
    request: FastifyRequest,
    reply: FastifyReply,
    untrustedAnswer: string,
  ): Promise<FastifyReply> {
    try {
      return await callback(request, reply, untrustedAnswer)
    } catch (thrown) {
      const { code, context: facts } = toGatewayError(thrown)
      const why = { ...(typeof facts.reason === 'string' ? { reason: facts.reason } : {}), ...factsIn(facts) }
      telemetry.metrics.callback(code)
      telemetry.audit.event('login.refused', { requestId: request.id, code, ...why })
      throw thrown
    }
  }
}

/** Everything stays as it was then. */
function isSilentlyDenied(transaction: LoginTransaction, error: unknown): boolean {
  return (
    error instanceof GatewayError &&
    error.code === 'login_denied' &&
    isUnasked(transaction, error.context.providerError)
  )
}

/** The answer of a callback that was asked for in the address. */
export function queriedAnswer(request: FastifyRequest): string {
  const target = request.raw.url ?? ''
  readQuery(target, { names: ['state', 'response'], maxBytes: maxCallbackAnswerBytes })
  return queryOf(target)
}

async function findByState(
  context: HttpContext,
  request: FastifyRequest,
  untrustedAnswer: string,
): Promise<FoundTransaction<'login'>> {
  const found = findTransactions(context, 'login', request.headers.cookie)
  const state = await stateOf(context, request, untrustedAnswer, found)
  const match = found.find(({ transaction }) => transaction.state === state)
  if (match === undefined) {
    // Some providers answer an error without `state`; anybody else can write it into a link, so it is for the log only.
    const words = wordsOf(new URLSearchParams(untrustedAnswer))
    const reason = found.length === 0 ? 'no cookie' : 'no cookie of this state'
    if (words.providerError !== undefined) context.provider.adviseOnStray(words)
    else if (found.length === 0) tellOfNoCookie(context)
    throw (
      context.limits.countStray(request) ??
      new GatewayError('login_state_invalid', { context: { reason, check: 'response.state', ...words } })
    )
  }
  // A login that this browser began is never limited by address, only against its own repetition.
  context.limits.admitTransaction(match.transaction.state)
  return match
}

const toldOfNoCookie = new WeakSet<HttpContext>()

/** The classic behind a proxy: nothing else would tell, because the browser is back where no login began. Said once, as strangers can do it too. */
function tellOfNoCookie(context: HttpContext): void {
  if (toldOfNoCookie.has(context)) return
  toldOfNoCookie.add(context)
  const { origin } = context.options.baseUrl
  context.telemetry.log.warn(
    {
      remedy: `If every sign-in ends so: browsers must come by ${origin} (BASE_URL) from the first page on; compare it with their address bar, scheme and port as well.`,
    },
    'a login came back to a browser that has no cookie of one: it began under another address than BASE_URL, too long ago, or cookies are blocked',
  )
}

/**
 * The `state` of an answer, which may have to be decrypted for it: that is done only for browsers which are in the middle of a login, and
 * after the first attempts of each only while their address has not sent too much that led nowhere.
 */
async function stateOf(
  { provider, limits }: HttpContext,
  request: FastifyRequest,
  untrustedAnswer: string,
  [newest]: readonly FoundTransaction<'login'>[],
): Promise<string | undefined> {
  if (newest === undefined) return undefined
  return provider
    .stateOf(untrustedAnswer, () => limits.admitOpening(request, newest.transaction.state))
    .catch((error: unknown) => {
      throw isLimit(error) ? error : (limits.countStray(request) ?? error)
    })
}

function isLimit(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'rate_limited'
}

/** A form is taken where one was asked for, and only there; whether an answer is signed is the provider's part. */
function expectMode({ options }: HttpContext, { method }: FastifyRequest): void {
  const received = method === 'POST' ? 'form_post' : 'query'
  const expected = options.responseMode === 'form_post' ? 'form_post' : 'query'
  if (received === expected) return
  throw new GatewayError('login_refused', {
    context: { reason: 'response mode', check: 'response.mode', expected, received },
  })
}

/** What a callback has to go by. */
interface Answered {
  readonly untrustedAnswer: string
  readonly transaction: LoginTransaction
}

async function complete(
  { limits, provider, sessions, options }: HttpContext,
  request: FastifyRequest,
  { untrustedAnswer, transaction }: Answered,
): Promise<OpenSession> {
  const answer = await provider.checkAuthorizationResponse(untrustedAnswer, transaction)
  const redeemedAtMs = await sessions.redeemState(transaction.state)
  if (redeemedAtMs === undefined) {
    throw new GatewayError('login_state_invalid', { context: { reason: 'redeemed before' } })
  }
  const login = await provider.completeLogin(answer, transaction)
  const revokeAndThrow = async (error: unknown): Promise<never> => {
    if (login.refreshToken !== undefined) await provider.revoke(login.refreshToken, 'unused')
    throw error
  }
  await limits.admitSignIn(login.identity).catch(revokeAndThrow)
  // The id is new already, because no cookie is offered to this route; this keeps it so whatever a hook may offer one day.
  await request.session.regenerate().catch(revokeAndThrow)
  attachPendingLogin(request.session, {
    login,
    audienceKey: options.audience.key,
    browserFamily: browserFamily(request.headers['user-agent']),
    redeemedAtMs,
  })
  await request.session.save()
  const begun = openSessionOf(request.session)
  if (begun === undefined)
    throw new GatewayError('internal_error', { context: { reason: 'no session begun' } })
  return begun
}

/**
 * Ends the session that `/login` saw and the one that came with this request; the latter only now, so that a failed login takes nothing
 * away. A store that fails here leaves them to their idle timeout; the new session is there already.
 */
async function endFormerSessions(
  { cookies, sessions, telemetry }: HttpContext,
  request: FastifyRequest,
  transaction: LoginTransaction,
): Promise<void> {
  const seenId = cookies.readSession(request.headers.cookie)
  const former = new Set([transaction.endsSession, seenId === undefined ? undefined : hashSessionId(seenId)])
  for (const h of former) {
    if (h === undefined) continue
    await sessions.end(h).catch((error: unknown) => {
      const { code } = toGatewayError(error)
      telemetry.log.warn({ requestId: request.id, code }, 'the former session was left to its idle timeout')
    })
  }
}
