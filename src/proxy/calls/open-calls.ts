import type { Sessions } from '../../session/lifecycle/sessions.ts'
import { idleEndsAtMs, type SessionLimits, type SessionView } from '../../session/record/session.ts'
import { piecesOf } from '../../session/store/pieces.ts'
import type { Metrics } from '../../telemetry/measures/metrics.ts'
import { type BySession, endAll, note } from './by-session.ts'
import { createDeviceLeases, type DeviceLeases } from './device-leases.ts'
import type { Call, InFlightCalls } from './in-flight.ts'

/** All calls of this process that are open on any route: none outlives its session. Nothing is asked for a call while it is short. */
export interface OpenCalls {
  /** Looks at a route's calls from now on. */
  addRoute(calls: InFlightCalls): void
  /** A call has become a stream: counted, and sent away when the process stops. */
  streamOpened(call: Call): void
  streamClosed(call: Call): void
  /** WebSockets of a session that are open here. */
  countWebSockets(h: string): number
  /** What is known of this session may be over: it was found before a wait. */
  suspect(h: string): void
  /** Sends all streams away and waits until they are gone. Later ones are sent away at once. */
  drain(): Promise<void>
  /** Looks at nothing any more. */
  close(): void
}

/** What looking after open calls needs. */
export interface OpenCallsDependencies {
  readonly sessions: Pick<Sessions, 'find' | 'exist' | 'deviceLivesMs' | 'subscribe' | 'isLive'>
  readonly metrics: Pick<Metrics, 'openStreams'>
  readonly limits: SessionLimits
  /** For how long the proof of a device still counts after its end, milliseconds. */
  readonly deviceToleranceMs: number
  /**
   * From when on the proof of a device is demanded of a session, epoch milliseconds, or `undefined`: of itself never. `undefined` where sessions
   * are not bound to devices.
   */
  readonly deviceDemandedFromMs: ((session: SessionView) => number | undefined) | undefined
  readonly now: () => number
}

/** How often open calls are looked through when there is a reason, milliseconds: they end within a second of their session. */
const scanMs = 200

/** While changes may go unheard every session is asked for at each of so many scans. */
const unheardScans = 2

/** An end that could not be confirmed is looked at again after this, milliseconds. */
const recheckMs = 1_000

/** What has been heard since sessions were last asked for. */
interface Heard {
  /** Sessions of which something is new. */
  readonly told: Set<string>
  /** Sessions that were found before a wait: what is new since may have been told before there was a call. */
  readonly suspects: Set<string>
  /** Any session may have ended. */
  isAllSuspect: boolean
  /** The feed was interrupted: something may be new of any session. */
  isAllNew: boolean
}

const nothing = (): Heard => ({ told: new Set(), suspects: new Set(), isAllSuspect: false, isAllNew: false })

/** Looks after open calls. */
export function createOpenCalls(dependencies: OpenCallsDependencies): OpenCalls {
  return new CallWatch(dependencies)
}

class CallWatch implements OpenCalls {
  readonly #dependencies: OpenCallsDependencies
  readonly #devices: DeviceLeases
  readonly #routes: InFlightCalls[] = []
  #heard = nothing()
  #isAsking = false
  #scans = 0
  #askNotBeforeMs = 0
  readonly #unsubscribe: () => void
  readonly #timer: NodeJS.Timeout
  #streams = 0
  #isDraining = false
  #whenGone: (() => void) | undefined

  constructor(dependencies: OpenCallsDependencies) {
    this.#dependencies = dependencies
    this.#devices = createDeviceLeases(dependencies)
    this.#unsubscribe = dependencies.sessions.subscribe((h) => {
      if (h === undefined) this.#heard.isAllNew = true
      else if (this.#isAnyOpen()) this.#heard.told.add(h)
    })
    this.#timer = setInterval(() => this.#scan(), scanMs).unref()
  }

  addRoute(calls: InFlightCalls): void {
    this.#routes.push(calls)
  }

  streamOpened(call: Call): void {
    this.#streams += 1
    if (call.kind !== 'request') this.#dependencies.metrics.openStreams(call.kind, 1)
    if (this.#isDraining) call.goAway()
  }

  streamClosed(call: Call): void {
    this.#streams -= 1
    if (call.kind !== 'request') this.#dependencies.metrics.openStreams(call.kind, -1)
    if (this.#streams === 0) this.#whenGone?.()
  }

  countWebSockets(h: string): number {
    let count = 0
    this.#visit(({ kind, session }) => {
      if (kind === 'websocket' && session?.h === h) count += 1
    })
    return count
  }

  suspect(h: string): void {
    this.#heard.suspects.add(h)
  }

  async drain(): Promise<void> {
    this.#isDraining = true
    const gone = new Promise<void>((resolve) => {
      this.#whenGone = resolve
    })
    this.#visit((call) => {
      if (call.kind !== 'request') call.goAway()
    })
    if (this.#streams > 0) await gone
  }

  close(): void {
    clearInterval(this.#timer)
    this.#unsubscribe()
  }

  #visit(each: (call: Call) => void): void {
    for (const route of this.#routes) route.visit(each)
  }

  #isAnyOpen(): boolean {
    return this.#routes.some(({ size }) => size > 0)
  }

  /** Ends what is past its absolute end, and asks for the sessions of which that or more may be true. */
  #scan(): void {
    const { sessions, limits, now } = this.#dependencies
    this.#scans += 1
    if (this.#scans % unheardScans === 0 && !sessions.isLive()) this.#heard.isAllSuspect = true
    const nowMs = now()
    const doubtful: BySession = new Map()
    const mayAsk = !this.#isAsking && performance.now() >= this.#askNotBeforeMs
    this.#visit((call) => {
      if (call.kind !== 'request') this.#lapse(call, nowMs)
      const { session } = call
      if (session === undefined) return
      if (nowMs >= session.endsAtMs) call.endSession()
      // It may have been active elsewhere.
      else if (mayAsk && (this.#isDoubtful(session.h) || nowMs >= idleEndsAtMs(session, limits))) {
        note(doubtful, session.h, call)
      }
    })
    if (mayAsk) void this.#ask(doubtful)
    this.#devices.ask()
  }

  #lapse(call: Call, nowMs: number): void {
    const { lease, provenUntilMs } = call
    if (lease !== undefined && nowMs >= lease.tokenEndsAtMs) call.endSession()
    else if (lease !== undefined && nowMs >= lease.freshUntilMs) lease.endRights()
    else if (provenUntilMs !== undefined && nowMs >= provenUntilMs) this.#devices.doubt(call)
  }

  #isDoubtful(h: string): boolean {
    const { told, suspects, isAllSuspect, isAllNew } = this.#heard
    return isAllSuspect || isAllNew || told.has(h) || suspects.has(h)
  }

  async #ask(doubtful: BySession): Promise<void> {
    const heard = this.#heard
    this.#heard = nothing()
    if (doubtful.size === 0) return
    this.#isAsking = true
    try {
      await this.#endOrReread(doubtful, heard)
    } catch {
      // A store that does not answer ends no session; it is asked again.
      this.#askNotBeforeMs = performance.now() + recheckMs
      for (const h of doubtful.keys()) this.#askAgain(h)
      this.#heard.isAllSuspect ||= heard.isAllSuspect
      this.#heard.isAllNew ||= heard.isAllNew
    } finally {
      this.#isAsking = false
    }
  }

  /** All in one go; what is new of a session that lives is read, because a refresh may have brought its end nearer. */
  async #endOrReread(doubtful: BySession, heard: Heard): Promise<void> {
    const asked = [...doubtful]
    const found = await this.#dependencies.sessions.exist(asked.map(([h]) => h))
    const reread: [h: string, calls: readonly Call[]][] = []
    for (const [at, [h, calls]] of asked.entries()) {
      if (found[at] === false) endAll(calls)
      else if (found[at] === undefined) this.#askAgain(h)
      else if (this.#isToBeRead(h, calls, heard)) reread.push([h, calls])
    }
    // One part of the store that does not answer keeps no other session from being judged.
    for (const piece of piecesOf(reread)) {
      await Promise.all(piece.map(([h, calls]) => this.#reread(calls).catch(() => this.#askAgain(h))))
    }
  }

  #isToBeRead(h: string, calls: readonly Call[], { told, suspects, isAllNew }: Heard): boolean {
    const { limits, now } = this.#dependencies
    if (told.has(h) || calls.some(({ session }) => isIdle(session, limits, now()))) return true
    return (isAllNew || suspects.has(h)) && calls.some((call) => this.#mayBeDemanded(call))
  }

  /** Whether something may be demanded of this call by now that was not when it was let in. */
  #mayBeDemanded({ lease, provenUntilMs }: Call): boolean {
    const { deviceDemandedFromMs } = this.#dependencies
    return lease !== undefined || (deviceDemandedFromMs !== undefined && provenUntilMs === undefined)
  }

  #askAgain(h: string): void {
    this.#heard.told.add(h)
  }

  async #reread(calls: readonly Call[]): Promise<void> {
    const sessionId = calls[0]?.sessionId
    if (sessionId === undefined) return
    const view = await this.#dependencies.sessions.find(sessionId)
    if (view === undefined) endAll(calls)
    else for (const call of calls) await this.#judgeAgain(call, view)
  }

  /** Another session, or the same one changed: a stream lives on only under the rules that let it in, and those that came since. */
  async #judgeAgain(call: Call, view: SessionView): Promise<void> {
    call.session = view
    // It was opened before its session was bound to a device, or had to be.
    call.provenUntilMs ??= this.#dependencies.deviceDemandedFromMs?.(view)
    if (call.kind === 'request' || call.lease === undefined) return
    if (!(await call.lease.stillMeets(view))) call.lease.endRights()
  }
}

function isIdle(session: SessionView | undefined, limits: SessionLimits, nowMs: number): boolean {
  return session !== undefined && nowMs >= idleEndsAtMs(session, limits)
}
