import { setTimeout as sleep } from 'node:timers/promises'
import { createSealer } from '../../../src/sealing/sealer.ts'
import type { OpenSession } from '../../../src/session/lifecycle/sessions.ts'
import { newSessionId } from '../../../src/session/record/keys.ts'
import type { SessionStore } from '../../../src/session/store/contract.ts'
import type { Schedule, Step } from './interleavings.ts'
import { createMortalNode, type MortalNode } from './mortal-node.ts'
import { api, completedLogin, createNode, issuer, type Node, reports, secret } from './sessions-world.ts'
import { createStrictProvider, type StrictProvider } from './strict-provider.ts'

const newSecret = 'second-secret-0123456789abcdefghijklmno'
/** Logins and tokens of the provider bear this age, so that a logout token may be older still; milliseconds. */
const loginAgeMs = 60_000

/** A session that somebody holds the cookie of, and what is known of its fate. */
interface Trace {
  readonly session: OpenSession
  readonly sid: string
  mustBeGone: boolean
  mayBeGone: boolean
  wasGone: boolean
  /** Whether it was ended with its cookie: then no refresh token of it may be left alive. */
  endedWithCookie: boolean
}

/** One schedule as it is carried out. */
export class InterleavingRun {
  readonly #schedule: Schedule
  readonly #store: SessionStore
  readonly #nodes: readonly [MortalNode, MortalNode]
  /** Looks at what is left; it has no part in what happens. */
  readonly #auditor: Node
  /** The same after the last roll-out of a rotation, when the old secret is gone. */
  readonly #laterAuditor: Node
  readonly #provider: StrictProvider
  readonly #user = newSessionId()
  readonly #traces: Trace[] = []
  readonly #revived = new Set<string>()
  readonly #endedSids = new Set<string>()
  /** Ended with a tombstone: who begins in one of them, before or after, must be caught. */
  readonly #entombedSids = new Set<string>()
  /** Logouts of the user that have begun, and that are under way. */
  #userLogouts = { begun: 0, underWay: 0 }
  #sid = newSessionId()
  #hasCrashed = false
  #isOver = false
  #turn = 0

  constructor(stores: readonly [SessionStore, SessionStore], schedule: Schedule) {
    this.#schedule = schedule
    this.#store = stores[0]
    const inTurn = <T>(items: readonly T[]): T | undefined => {
      this.#turn += 1
      return items[this.#turn % items.length]
    }
    const pause = async (): Promise<void> => void (await sleep(inTurn(schedule.delaysMs) ?? 0))
    const isDown = (): boolean => inTurn(schedule.outages) === true
    const losesAnswer = (): boolean => inTurn(schedule.lostAnswers) === true
    this.#provider = createStrictProvider(Date.now, pause, isDown)
    const optionsOf = (store: SessionStore, secrets: readonly string[]) => ({
      store,
      now: Date.now,
      provider: this.#provider,
      sealer: createSealer(secrets),
      ...(schedule.idleMs === undefined ? {} : { sessionIdleTimeout: schedule.idleMs / 1_000 }),
    })
    const nodeOver = (store: SessionStore, secrets: readonly string[]): MortalNode =>
      createMortalNode(optionsOf(store, secrets), { pause, losesAnswer })
    const both = [secret, newSecret]
    this.#nodes = [
      nodeOver(stores[0], both),
      nodeOver(stores[1], schedule.isRolling ? both.toReversed() : both),
    ]
    this.#auditor = createNode(optionsOf(stores[0], both))
    this.#laterAuditor = createNode(optionsOf(stores[0], [newSecret]))
  }

  /** Does everything, and returns what is wrong afterwards; nothing, if all is well. */
  async carryOut(): Promise<readonly string[]> {
    await this.#signIn(this.#nodes[0])
    try {
      await Promise.all([this.#act(), this.#watch()])
    } finally {
      this.#isOver = true
    }
    return this.#verdict()
  }

  /** All steps, and what they have left under way. */
  async #act(): Promise<void> {
    await Promise.all(this.#schedule.steps.map((step) => this.#step(step)))
    const living = this.#nodes.filter((node) => !node.isDead())
    await Promise.all(living.map(({ accessTokens }) => accessTokens.drained()))
    await Promise.all(living.map(({ sessions }) => sessions.drained()))
    this.#isOver = true
  }

  /** A session that was gone once must never be seen again. */
  async #watch(): Promise<void> {
    while (!this.#isOver) {
      const traces = [...this.#traces]
      const found = await this.#store.exist(traces.map(({ session }) => session.view.h))
      for (const [at, trace] of traces.entries()) {
        if (found[at] === false) trace.wasGone = true
        else if (trace.wasGone) this.#revived.add(trace.session.view.h)
      }
      await sleep(1)
    }
  }

  async #signIn(node: MortalNode): Promise<void> {
    const id = newSessionId()
    const sid = this.#sid
    const before = { ...this.#userLogouts }
    const redeemedAtMs = (await node.sessions.redeemState(newSessionId())) ?? 0
    const facts = { subject: this.#user, providerSessionId: sid, refreshToken: this.#provider.issue(id) }
    // Its access token is over from the start.
    const login = completedLogin(Date.now() - loginAgeMs, { ...facts, lifeMs: loginAgeMs })
    const begun = await node.sessions.begin({
      id,
      login,
      audienceKey: api.key,
      browserFamily: 'Firefox',
      redeemedAtMs,
    })
    if (begun.kind !== 'begun') return
    // Who begins while a logout is under way may or may not be caught by it.
    const isCrossed = before.underWay > 0 || before.begun < this.#userLogouts.begun
    const mayBeGone = isCrossed || this.#endedSids.has(sid)
    this.#traces.push({
      session: begun.session,
      sid,
      mustBeGone: false,
      mayBeGone,
      wasGone: false,
      endedWithCookie: false,
    })
  }

  async #step(step: Step): Promise<void> {
    await sleep(step.startMs)
    const node = this.#nodes[step.node]
    const doing = step.kind === 'crash' ? this.#crash(node) : this.#do(node, step).catch(rethrowUnexpected)
    await Promise.race([doing, node.died])
  }

  async #crash(node: MortalNode): Promise<void> {
    // One has to be left.
    if (this.#nodes.some((each) => each.isDead())) return
    this.#hasCrashed = true
    await node.kill()
  }

  async #do(node: MortalNode, { kind, startMs, audience }: Step): Promise<void> {
    if (node.isDead()) return
    const trace = this.#traces.at(-1)
    if (kind === 'sid-logout' || kind === 'sub-logout' || kind === 'stale-logout') {
      return this.#logOutByToken(node, kind)
    }
    if (kind === 'front-channel') return this.#logOutByFrame(node)
    if (trace === undefined) return
    const { id, view } = trace.session
    if (kind === 're-login') {
      await this.#signIn(node)
      await this.#endTrace(trace, () => node.sessions.end(view.h))
    } else if (kind === 'operator-delete') {
      await this.#endTrace(trace, () => this.#store.delete(view.h))
    } else if (kind === 'logout') {
      const session = await node.sessions.open(id)
      if (session === undefined) return
      await this.#endTrace(trace, async () => {
        const { existed, refreshToken } = await node.sessions.endOpened(session)
        trace.endedWithCookie ||= existed
        await this.#provider.revoke(refreshToken ?? '', 'logout')
      })
    } else {
      const found = await node.sessions.find(id)
      if (kind === 'request') await sleep(startMs)
      if (kind === 'touch') await node.sessions.touchNow(found ?? view)
      else await node.accessTokens.get(id, found ?? view, audience === 'reports' ? reports : api)
    }
  }

  /** One that is not confirmed may have happened all the same. */
  async #endTrace(trace: Trace, end: () => Promise<unknown>): Promise<void> {
    trace.mayBeGone = true
    await end()
    trace.mustBeGone = true
  }

  async #logOutByToken(node: MortalNode, kind: 'sid-logout' | 'sub-logout' | 'stale-logout'): Promise<void> {
    const sid = this.#sid
    const isSid = kind === 'sid-logout'
    // The provider's next login is in a session of its own.
    if (isSid) this.#sid = newSessionId()
    const meant = this.#traces.filter((trace) => kind !== 'stale-logout' && (!isSid || trace.sid === sid))
    if (isSid) this.#endedSids.add(sid)
    for (const trace of this.#traces)
      trace.mayBeGone ||= kind === 'sub-logout' || (isSid && trace.sid === sid)
    const isUser = kind === 'sub-logout'
    if (isUser) this.#userLogoutBegins()
    const ageMs = kind === 'stale-logout' ? 2 * loginAgeMs : 0
    await node.sessions.endByLogoutToken({
      issuer,
      subject: this.#user,
      providerSessionId: isSid ? sid : undefined,
      issuedAtSeconds: Math.floor((Date.now() - ageMs) / 1_000),
      jti: newSessionId(),
    })
    for (const trace of meant) trace.mustBeGone = true
    if (isSid) this.#entombedSids.add(sid)
    if (isUser) this.#userLogouts.underWay -= 1
  }

  #userLogoutBegins(): void {
    this.#userLogouts.begun += 1
    this.#userLogouts.underWay += 1
  }

  async #logOutByFrame(node: MortalNode): Promise<void> {
    const sid = this.#sid
    const meant = this.#traces.filter((trace) => trace.sid === sid)
    this.#sid = newSessionId()
    this.#endedSids.add(sid)
    for (const trace of meant) trace.mayBeGone = true
    await node.sessions.endByProviderSession(issuer, sid)
    for (const trace of meant) trace.mustBeGone = true
  }

  async #verdict(): Promise<readonly string[]> {
    const faults = this.#hasCrashed ? [] : [...this.#provider.faults]
    if (this.#revived.size > 0) faults.push('an ended session came back')
    if (this.#schedule.idleMs !== undefined) await sleep(this.#schedule.idleMs + 2)
    for (const trace of this.#traces) faults.push(...(await this.#faultsOf(trace)))
    faults.push(...(await this.#unfindable()))
    return faults
  }

  async #faultsOf({ session, sid, mayBeGone, ...trace }: Trace): Promise<readonly string[]> {
    const { idleMs } = this.#schedule
    const mustBeGone = trace.mustBeGone || this.#entombedSids.has(sid)
    const { h } = session.view
    const faults: string[] = []
    const [exists] = await this.#store.exist([h])
    if (trace.endedWithCookie && !this.#hasCrashed && this.#provider.hasLive(session.id))
      faults.push('a refresh token outlived the session that its holder ended')
    if (exists && mustBeGone) faults.push('an ended session exists')
    if (exists && idleMs !== undefined) faults.push('a session outlived its idle timeout')
    // A crash between grant and write costs the tokens, and with them the session.
    const mayBeLost = mustBeGone || mayBeGone || this.#hasCrashed || idleMs !== undefined
    if (!(exists || mayBeLost)) faults.push('a session was lost')
    if (!(await this.#store.acquireLease(h, 'verdict', 1_000))) faults.push('a lease was left behind')
    await this.#store.releaseLease(h, 'verdict')
    if (exists && !this.#hasCrashed) faults.push(...(await this.#lostTokens(session)))
    return faults
  }

  async #lostTokens({ id }: OpenSession): Promise<readonly string[]> {
    const opened = await this.#auditor.sessions.open(id)
    const refreshToken = opened?.record.tokens.refreshToken ?? ''
    return this.#provider.isCurrent(refreshToken) ? [] : ['a refresh token was lost']
  }

  /** Whatever happened, a crash in the middle of a login included: a logout of the user finds every session that there is. */
  async #unfindable(): Promise<readonly string[]> {
    const resealed: string[] = []
    for (const { session } of this.#traces) {
      if ((await this.#laterAuditor.sessions.open(session.id)) !== undefined) resealed.push(session.view.h)
    }
    const leftThen = await this.#leftAfterLogout(this.#laterAuditor, resealed)
    const leftNow = await this.#leftAfterLogout(
      this.#auditor,
      this.#nodes.flatMap(({ created }) => created),
    )
    return leftThen || leftNow ? ['a logout did not find a session'] : []
  }

  async #leftAfterLogout(auditor: Node, hs: readonly string[]): Promise<boolean> {
    await auditor.sessions.endByLogoutToken({
      issuer,
      subject: this.#user,
      providerSessionId: undefined,
      issuedAtSeconds: Math.floor(Date.now() / 1_000),
      jti: newSessionId(),
    })
    return (await this.#store.exist(hs)).includes(true)
  }
}

const expected: ReadonlySet<unknown> = new Set([
  'session_expired',
  'refresh_refused',
  'provider_unavailable',
  'session_store_unavailable',
])

/** What a request may be told by a session that ends meanwhile, or by a provider or a store in trouble, is fine; nothing else is. */
function rethrowUnexpected(error: unknown): void {
  if (!expected.has(error instanceof Error ? error.message : error)) throw error
}
