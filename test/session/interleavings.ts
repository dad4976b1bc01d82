import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import type { Provider } from '../../src/oidc/provider.ts'
import { newSessionId } from '../../src/session/session-keys.ts'
import type { OpenSession } from '../../src/session/sessions.ts'
import type { SessionStore } from '../../src/session/store.ts'
import { controlStore } from './controlled-store.ts'
import { api, completedLogin, createNode, issuer, type Node, reports } from './sessions-world.ts'

/** What happens to a user's sessions at the same time, on two nodes. */
interface Step {
  readonly kind: 'request' | 'refresh' | 'touch' | 're-login' | 'logout' | 'sid-logout' | 'sub-logout'
  readonly node: 0 | 1
  readonly startMs: number
  readonly audience: 'default' | 'reports'
}

/** One run: the steps, and how long each call of the store or the provider is held up, in turn. */
export interface Schedule {
  readonly steps: readonly Step[]
  readonly delaysMs: readonly number[]
}

/** All schedules: short, because what goes wrong between few goes wrong among many. */
export const schedules: fc.Arbitrary<Schedule> = fc.record({
  steps: fc.array(
    fc.record({
      kind: fc.constantFrom(
        'request' as const,
        'refresh' as const,
        'refresh' as const,
        'touch' as const,
        're-login' as const,
        'logout' as const,
        'sid-logout' as const,
        'sub-logout' as const,
      ),
      node: fc.constantFrom(0 as const, 1 as const),
      startMs: fc.integer({ min: 0, max: 8 }),
      audience: fc.constantFrom('default' as const, 'reports' as const),
    }),
    { minLength: 2, maxLength: 9 },
  ),
  delaysMs: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 12 }),
})

/** A provider that takes each refresh token once, and tells when one is presented a second time. */
interface StrictProvider extends Pick<Provider, 'refresh' | 'revoke'> {
  readonly faults: string[]
  readonly isCurrent: (refreshToken: string) => boolean
  readonly issue: (family: string) => string
}

function strictProvider(now: () => number, pause: () => Promise<void>): StrictProvider {
  const current = new Set<string>()
  const spent = new Set<string>()
  const busy = new Set<string>()
  const faults: string[] = []
  let issued = 0
  const issue = (family: string): string => {
    issued += 1
    const token = `${family}/${issued}`
    current.add(token)
    return token
  }
  return {
    faults,
    issue,
    isCurrent: (token) => current.has(token),
    async refresh({ refreshToken, identity, audience }) {
      const family = refreshToken.split('/')[0] ?? ''
      if (spent.has(refreshToken)) faults.push(`presented again: ${refreshToken}`)
      if (busy.has(family)) faults.push(`two grants at once: ${refreshToken}`)
      if (!current.delete(refreshToken)) return { kind: 'refused', error: 'invalid_grant' }
      spent.add(refreshToken)
      busy.add(family)
      await pause()
      busy.delete(family)
      // Over already, so that every further request has to refresh again.
      const accessToken = {
        value: `${audience.key}-${issued}`,
        obtainedAtMs: now() - 60_000,
        expiresAtMs: now(),
      }
      const rotated = issue(family)
      const none = { idToken: undefined, sessionExpirySeconds: undefined }
      return { kind: 'refreshed', accessToken, refreshToken: rotated, identity, ...none }
    },
    async revoke(refreshToken) {
      current.delete(refreshToken)
      return true
    },
  }
}

/** What a session was, and what must have become of it. */
interface Trace {
  readonly session: OpenSession
  mustBeGone: boolean
}

class Run {
  readonly traces: Trace[] = []
  readonly nodes: readonly [Node, Node]
  readonly provider: StrictProvider
  readonly user = newSessionId()
  #latest: Trace | undefined
  #turn = 0

  constructor(stores: readonly [SessionStore, SessionStore], { delaysMs }: Schedule) {
    const pause = async (): Promise<void> => {
      this.#turn += 1
      await sleep(delaysMs[this.#turn % delaysMs.length] ?? 0)
    }
    this.provider = strictProvider(Date.now, pause)
    const nodeOver = (store: SessionStore): Node => {
      const slowed = controlStore(store)
      for (const method of [
        'read',
        'replace',
        'touch',
        'delete',
        'create',
        'readIndex',
        'addToIndex',
      ] as const) {
        slowed.before(method, pause)
        slowed.after(method, pause)
      }
      return createNode({ store: slowed, now: Date.now, provider: this.provider })
    }
    this.nodes = [nodeOver(stores[0]), nodeOver(stores[1])]
  }

  async signIn(node: Node): Promise<void> {
    const redeemedAtMs = (await node.sessions.redeemState(newSessionId())) ?? 0
    const id = newSessionId()
    const facts = { subject: this.user, providerSessionId: this.user, refreshToken: this.provider.issue(id) }
    // Its access token is over from the start.
    const login = completedLogin(Date.now() - 60_000, { ...facts, lifeMs: 60_000 })
    const input = { id, login, audienceKey: api.key, browserFamily: 'Firefox', redeemedAtMs }
    const begun = await node.sessions.begin(input)
    if (begun.kind !== 'begun') return
    this.#latest = { session: begun.session, mustBeGone: false }
    this.traces.push(this.#latest)
  }

  async step({ kind, node: at, startMs, audience }: Step): Promise<void> {
    await sleep(startMs)
    const node = this.nodes[at]
    const trace = this.#latest
    if (kind === 'sid-logout' || kind === 'sub-logout') return this.#logOutByProvider(node, kind)
    if (trace === undefined) return
    const { id, view: beganWith } = trace.session
    if (kind === 're-login') {
      await this.signIn(node)
      await node.sessions.end(beganWith.h)
      trace.mustBeGone = true
    } else if (kind === 'logout') {
      const session = await node.sessions.open(id)
      if (session === undefined) return
      await node.sessions.endOpened(session)
      trace.mustBeGone = true
      await this.provider.revoke(session.record.tokens.refreshToken ?? '')
    } else {
      const view = await node.sessions.find(id)
      if (kind === 'request') await sleep(startMs)
      if (kind === 'touch') await node.sessions.touchNow(view ?? beganWith)
      else await getToken(node, id, view ?? beganWith, audience)
    }
  }

  async #logOutByProvider(node: Node, kind: 'sid-logout' | 'sub-logout'): Promise<void> {
    const before = [...this.traces]
    // Whoever begins at the same time may or may not be caught by it.
    const isSid = kind === 'sid-logout'
    await node.sessions.endByLogoutToken({
      issuer,
      subject: this.user,
      providerSessionId: isSid ? this.user : undefined,
      issuedAtSeconds: Math.floor(Date.now() / 1_000),
      jti: newSessionId(),
    })
    for (const trace of before) trace.mustBeGone = true
    this.#loggedOut = true
    // A provider session that is over lets nobody begin, before or after.
    this.#sidLoggedOut ||= isSid
  }

  #loggedOut = false
  #sidLoggedOut = false

  /** What is wrong afterwards; nothing, if all is well. */
  async verdict(store: SessionStore): Promise<readonly string[]> {
    await Promise.all(this.nodes.map(({ accessTokens }) => accessTokens.drained()))
    const faults = [...this.provider.faults]
    for (const { session, mustBeGone } of this.traces) {
      const { h } = session.view
      const [exists] = await store.exist([h])
      if (exists && (mustBeGone || this.#sidLoggedOut)) faults.push('an ended session exists')
      if (!exists && !mustBeGone && !this.#loggedOut) faults.push('a session was lost')
      if (!(await store.acquireLease(h, 'verdict', 1_000))) faults.push('a lease was left behind')
      await store.releaseLease(h, 'verdict')
      if (exists) faults.push(...(await this.#checkLiving(session)))
    }
    return faults
  }

  async #checkLiving({ id, view }: OpenSession): Promise<readonly string[]> {
    const opened = await this.nodes[0].sessions.open(id)
    await this.nodes[0].sessions.end(view.h)
    const refreshToken = opened?.record.tokens.refreshToken ?? ''
    return this.provider.isCurrent(refreshToken) ? [] : ['a refresh token was lost']
  }
}

/** Everything that a request may be told by a session that ends meanwhile is fine; anything else is not. */
async function getToken(node: Node, id: string, view: OpenSession['view'], audience: string): Promise<void> {
  try {
    await node.accessTokens.get(id, view, audience === 'reports' ? reports : api)
  } catch (error) {
    const code: unknown = error instanceof Error ? error.message : error
    if (code !== 'session_expired' && code !== 'refresh_refused') throw error
  }
}

/**
 * Runs a schedule on two nodes over two connections to one store.
 *
 * @returns what went wrong
 */
export async function runSchedule(
  stores: readonly [SessionStore, SessionStore],
  schedule: Schedule,
): Promise<readonly string[]> {
  const run = new Run(stores, schedule)
  await run.signIn(run.nodes[0])
  await Promise.all(schedule.steps.map((step) => run.step(step)))
  return run.verdict(stores[0])
}
