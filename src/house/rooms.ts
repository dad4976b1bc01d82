import type { IncomingMessage, ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createFrontend, type Frontend, type SharedParts } from '../app.ts'
import type { Question } from '../check/question.ts'
import type { FrontendConfig } from '../config/frontends/load-house.ts'
import type { ProcessSettings } from '../config/settings/settings.ts'
import { writePlain } from '../http/answers/plain.ts'
import { createRefusal, type Refuse } from '../http/answers/refusals.ts'
import type { CheckReadiness } from '../http/health/readiness.ts'
import { lifeOf } from '../http/lifetime/life.ts'
import { createTrustedNetworks, isOfNetworks } from '../http/limits/client-address.ts'
import { requestProblem } from '../http/server/request-form.ts'
import { createUnroutedWatch, type WatchUnrouted } from '../http/server/unrouted-log.ts'
import { telemetryOfFrontend } from '../telemetry/frontend-telemetry.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'
import { createDoorman, type Doorman, type DoormanOptions } from './doorman.ts'
import type { Issuers } from './issuers.ts'
import { answerProbe, isProbe } from './probes.ts'
import { Room } from './room.ts'

/** What rooms are looked after with. */
export interface RoomsParts {
  readonly issuers: Pick<Issuers, 'follow'>
  /** A frontend that nobody was in for so long is taken down, milliseconds; 15 minutes unless told otherwise. */
  readonly idleMs?: number
  /** The words of frontends that were there before, in this process or in the one whose place it takes. */
  readonly formerCookieWords?: readonly string[]
}

const defaultIdleMs = 900_000
/** How often it is looked for frontends that are idle, in parts of the idle time. */
const idleChecks = 15

/** A request that somebody is to answer. */
interface Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly cameAtMs: number
  readonly ask: (frontend: Frontend) => void
}

/** The rooms of the house and who is sent to which. */
export class Rooms {
  readonly #graceMs: number
  readonly #shared: SharedParts
  readonly #issuers: RoomsParts['issuers']
  readonly #trust: DoormanOptions
  readonly #idleTimer: NodeJS.Timeout
  #rooms: ReadonlyMap<string, Room> = new Map()
  /** Replaced or gone, and still to be taken down. */
  readonly #leaving = new Set<Room>()
  #doorman: Doorman<Room> | undefined
  readonly #watchProbe: WatchUnrouted
  #building: Promise<unknown> = Promise.resolve()
  checkReadiness: CheckReadiness | undefined

  constructor(
    process: ProcessSettings,
    shared: SharedParts,
    { issuers, idleMs = defaultIdleMs, formerCookieWords = [] }: RoomsParts,
  ) {
    for (const word of formerCookieWords) shared.cookieNames.add(word)
    this.#watchProbe = createUnroutedWatch(shared.telemetry)
    this.#graceMs = process.shutdownGrace * 1_000
    this.#shared = shared
    this.#issuers = issuers
    const trusted = createTrustedNetworks(process.trustProxy)
    this.#trust = { isTrusted: (address) => !trusted.isEmpty && isOfNetworks(address, trusted) }
    this.#idleTimer = setInterval(() => this.#closeIdle(idleMs), idleMs / idleChecks).unref()
  }

  /** @throws GatewayError what reaches no frontend */
  route(request: IncomingMessage, response: ServerResponse, refuse: Refuse): void {
    const problem = requestProblem(request)
    if (problem !== undefined) throw problem
    if (isProbe(request.url ?? '')) {
      this.#probe(request, response, refuse)
      return
    }
    const room = this.#doorman?.choose(request)
    if (room === undefined) return
    const ask: Visit['ask'] = ({ routing }) => routing(request, response)
    this.#enter(room, { request, response, ask, cameAtMs: performance.now() })
  }

  /** @throws GatewayError what reaches no frontend */
  check(question: Question): void {
    const { request, response, original } = question
    const room = this.#doorman?.chooseBy(original.host, original.target)
    if (room === undefined) return
    const ask: Visit['ask'] = ({ check }) => check(question)
    this.#enter(room, { request, response, ask, cameAtMs: performance.now() })
  }

  #probe(request: IncomingMessage, response: ServerResponse, refuse: Refuse): void {
    const { checkReadiness } = this
    if (checkReadiness === undefined) return
    const cameAtMs = performance.now()
    answerProbe(request, checkReadiness).then(
      (answer) => {
        this.#watchProbe(request, response, cameAtMs)
        writePlain(request, response, answer)
      },
      (error: unknown) => refuse(request, response, error),
    )
  }

  #enter(room: Room, visit: Visit): void {
    const { request, response, ask, cameAtMs } = visit
    if (room.enter(request, ask)) return
    const telemetry = (): Telemetry => telemetryOfFrontend(this.#shared.telemetry, room.name)
    room.open().then(
      () => {
        if (lifeOf(request)?.isOver === true) createUnroutedWatch(telemetry())(request, response, cameAtMs)
        // It may be closed again before this one comes to its turn.
        else this.#enter(room, visit)
      },
      (error: unknown) => createRefusal(telemetry())(request, response, error),
    )
  }

  /**
   * One at a time, and the event loop has a turn before each: a burst of first requests must not keep it from all others, and nothing that a
   * frontend is made of waits for the system.
   */
  readonly #build = (config: FrontendConfig): Promise<Frontend> => {
    const built = this.#building
      .then(() => nextTurn())
      .then(() => createFrontend(config.config, this.#shared))
    this.#building = built.catch(() => undefined)
    return built
  }

  /** Takes these frontends in the place of those that are there. */
  async take(frontends: readonly FrontendConfig[]): Promise<void> {
    const before = this.#rooms
    this.#shared.headerNames.replace(frontends.flatMap(({ config }) => config.routes))
    const rooms = frontends.map((frontend) => {
      const room = before.get(frontend.name)
      this.#shared.cookieNames.add(frontend.config.cookieWord)
      return room?.config.fingerprint === frontend.fingerprint ? room : new Room(frontend, this.#build)
    })
    this.#rooms = new Map(rooms.map((room) => [room.name, room]))
    this.#doorman = createDoorman(rooms, this.#trust)
    this.#issuers.follow(frontends)
    const leaving = [...before.values()].filter((room) => this.#rooms.get(room.name) !== room)
    await Promise.all(leaving.map((room) => this.#drain(room, this.#graceMs)))
  }

  async #drain(room: Room, graceMs: number): Promise<void> {
    this.#leaving.add(room)
    await room.drain(graceMs).finally(() => this.#leaving.delete(room))
  }

  *status() {
    for (const [name, { frontend }] of this.#rooms) yield [name, frontend?.providerStatus()] as const
  }

  async drainStreams(): Promise<void> {
    const built = [...this.#rooms.values(), ...this.#leaving].flatMap(({ frontend }) => frontend ?? [])
    await Promise.all(built.map((frontend) => frontend.drainStreams()))
  }

  /** Resolves when no refresh is under way any more. */
  async refreshed(): Promise<void> {
    await Promise.all([...this.#rooms.values(), ...this.#leaving].map((room) => room.refreshed()))
  }

  async close(): Promise<void> {
    clearInterval(this.#idleTimer)
    await Promise.all([...this.#rooms.values(), ...this.#leaving].map((room) => room.drain(0)))
  }

  #closeIdle(idleMs: number): void {
    for (const room of this.#rooms.values()) {
      room.closeIfIdle(idleMs).catch((err: unknown) => {
        this.#shared.telemetry.log.error({ err, frontend: room.name }, 'a frontend could not be taken down')
      })
    }
  }
}
